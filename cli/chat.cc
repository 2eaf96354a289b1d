#include "cli/chat.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "base/json.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "cli/artifact_copy.h"
#include "cli/conversation.h"
#include "cli/model_template.h"
#include "cli/served_model.h"

namespace trainyard::cli {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(50);
constexpr size_t kMostLineBytes = 1 << 20;

// The lines of standard input. Watches the stop signals while it waits.
class Input {
 public:
  // Nothing at the end of the input, and when a stop signal came: stopped() tells. InvalidArgument:
  // a line is longer than 1 MiB.
  absl::StatusOr<std::optional<std::string>> Next() {
    while (true) {
      const size_t end = pending_.find('\n');
      if (end != std::string::npos) {
        std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        return line;
      }
      if (over_) return TakeLast();
      if (pending_.size() > kMostLineBytes) {
        return absl::InvalidArgumentError("a message is longer than 1 MiB");
      }
      if (WaitForStopSignal(absl::ZeroDuration()) != 0) {
        stopped_ = true;
        return std::nullopt;
      }
      Read();
    }
  }

  bool stopped() const { return stopped_; }

 private:
  void Read() {
    pollfd waiting = {STDIN_FILENO, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(kLook))) <= 0) return;
    char bytes[4096];
    const ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    over_ = count <= 0;
    if (count > 0) pending_.append(bytes, static_cast<size_t>(count));
  }

  // A line that no line end closes.
  std::optional<std::string> TakeLast() {
    if (pending_.empty()) return std::nullopt;
    return std::exchange(pending_, "");
  }

  std::string pending_;
  bool over_ = false;
  bool stopped_ = false;
};

class Talk {
 public:
  Talk(const Globals& globals, const ChatOptions& options, Conversation conversation,
       ServedModel* served)
      : json_(globals.output == "json"),
        sampling_(options.sampling),
        conversation_(std::move(conversation)),
        served_(served) {
    conversation_.SetSystem(options.system);
  }

  // Each message in turn; the first failure ends it.
  absl::StatusOr<int> Say(const std::vector<std::string>& messages) {
    for (const std::string& message : messages) {
      TY_ASSIGN_OR_RETURN(const bool interrupted, Turn(message));
      if (interrupted) return kExitInterrupted;
    }
    return kExitOk;
  }

  absl::StatusOr<int> Listen() {
    const bool people = isatty(STDIN_FILENO) != 0 && OnTerminal();
    if (people) {
      std::cerr << "a line is a message; /system TEXT, /reset, /exit; Ctrl-C stops an answer\n";
    }
    Input input;
    while (!terminated_) {
      if (people) std::cout << "> " << std::flush;
      TY_ASSIGN_OR_RETURN(const std::optional<std::string> line, input.Next());
      if (!line.has_value()) break;
      const std::string text(absl::StripAsciiWhitespace(*line));
      if (text == "/exit") break;
      if (text.empty() || Obey(text)) continue;
      const absl::StatusOr<bool> interrupted = Turn(text);
      if (interrupted.ok()) {
        if (*interrupted && !people) return kExitInterrupted;
        continue;
      }
      // What does not fit, is refused or was lost can be put right by whoever types, not by a pipe;
      // the end of the job by nobody.
      const bool is_over = absl::IsFailedPrecondition(interrupted.status());
      if (!people || is_over) return interrupted.status();
      ShowError(interrupted.status());
    }
    if (people) std::cout << std::endl;
    return input.stopped() || terminated_ ? kExitInterrupted : kExitOk;
  }

 private:
  // True when the line was an order, which is done then.
  bool Obey(const std::string& line) {
    absl::string_view rest = line;
    if (line == "/reset") {
      conversation_.Reset();
    } else if (absl::ConsumePrefix(&rest, "/system") && (rest.empty() || rest[0] == ' ')) {
      conversation_.SetSystem(std::string(absl::StripAsciiWhitespace(rest)));
    } else {
      return false;
    }
    return true;
  }

  // One message and its answer; true when a signal stopped it. What was said so far is kept.
  absl::StatusOr<bool> Turn(const std::string& message) {
    TY_ASSIGN_OR_RETURN(const v1::GenerateRequest request, conversation_.Ask(message, sampling_));
    std::string shown;
    absl::StatusOr<v1::Trajectory> drawn = absl::UnknownError("not drawn");
    absl::Notification done;
    std::thread call([&] {
      drawn = served_->Generate(request, [&](const v1::TokenDelta& delta) {
        shown += delta.text();
        if (!json_) std::cout << delta.text() << std::flush;
      });
      done.Notify();
    });
    const bool interrupted = InterruptWhenAsked(done);
    call.join();
    if (!drawn.ok() && !json_ && !shown.empty()) std::cout << std::endl;
    if (absl::IsCancelled(drawn.status()) && interrupted) {
      if (!shown.empty()) conversation_.Keep(message, shown);
      return true;
    }
    TY_RETURN_IF_ERROR(drawn.status());
    const std::string answer = conversation_.AnswerOf(request, *drawn);
    conversation_.Keep(message, answer);
    if (json_) {
      PrintRow(message, answer, *drawn, request.prompts(0).token_ids_size());
      return interrupted;
    }
    std::cout << (shown.empty() ? answer : "") << std::endl;
    if (drawn->finish() == v1::FINISH_LENGTH) std::cerr << "(cut: the answer may be no longer)\n";
    return interrupted;
  }

  // The turn as a row of answers.jsonl, but with its last message alone.
  static void PrintRow(const std::string& message, const std::string& answer,
                       const v1::Trajectory& drawn, int prompt_tokens) {
    const std::vector<int32_t> ids(drawn.token_ids().begin() + prompt_tokens,
                                   drawn.token_ids().end());
    const char* const finish = drawn.finish() == v1::FINISH_LENGTH ? "length"
                               : drawn.finish() == v1::FINISH_STOP ? "stop"
                                                                   : "end";
    const Json answered = {{"text", answer}, {"token_ids", ids}, {"finish_reason", finish}};
    const Json row = {{"prompt", message}, {"answers", Json::array({answered})}};
    // What was typed need not be UTF-8.
    std::cout << row.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }

  // Waits for `done`, and stops the answer when a signal comes. True: one came.
  bool InterruptWhenAsked(const absl::Notification& done) {
    bool interrupted = false;
    while (!done.WaitForNotificationWithTimeout(kLook)) {
      const int signal = WaitForStopSignal(absl::ZeroDuration());
      if (signal == 0) continue;
      interrupted = true;
      terminated_ = terminated_ || signal == SIGTERM;
      served_->Interrupt();
    }
    return interrupted;
  }

  const bool json_;
  const v1::SamplingSpec sampling_;
  Conversation conversation_;
  ServedModel* const served_;
  bool terminated_ = false;
};

}  // namespace

absl::StatusOr<int> Chat(const Globals& globals, const ChatOptions& options, const Roots& roots,
                         Client& client) {
  TY_ASSIGN_OR_RETURN(const std::string directory, ModelDirectory(options.model, roots, client));
  TY_ASSIGN_OR_RETURN(Conversation conversation,
                      Conversation::Open(directory, options.chat_template));
  // What can not be drawn is refused before a job is submitted.
  if (!options.messages.empty()) {
    TY_RETURN_IF_ERROR(conversation.Ask(options.messages[0], options.sampling).status());
  }
  TY_ASSIGN_OR_RETURN(const v1::FileRef model, FindFile(client, options.model));
  const auto served = ServedModel::Start(client, model);
  if (absl::IsCancelled(served.status())) return kExitInterrupted;
  TY_RETURN_IF_ERROR(served.status());
  Talk talk(globals, options, std::move(conversation), served->get());
  return options.messages.empty() ? talk.Listen() : talk.Say(options.messages);
}

}  // namespace trainyard::cli
