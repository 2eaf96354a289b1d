#include "cli/follow.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/message_text.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

constexpr absl::Duration kQuiet = absl::Seconds(15);
constexpr absl::Duration kRedraw = absl::Milliseconds(100);

size_t TerminalWidth() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// Lines that are drawn over their former selves.
class Screen {
 public:
  void Draw(const std::vector<std::string>& lines, size_t width) {
    std::string out;
    if (drawn_ > 0) absl::StrAppend(&out, "\x1b[", drawn_, "A");
    for (const std::string& line : lines) {
      absl::StrAppend(&out, "\x1b[2K", line.substr(0, width), "\n");
    }
    drawn_ = lines.size();
    std::cout << out << std::flush;
  }

 private:
  size_t drawn_ = 0;
};

v1::WatchJobsRequest RequestFor(const Target& target) {
  v1::WatchJobsRequest request;
  if (const auto* job = std::get_if<v1::Job>(&target)) {
    request.set_job(job->id());
  } else {
    request.set_pipeline(std::get<v1::Pipeline>(target).id());
  }
  return request;
}

// Watches until all jobs of the target are over; `show` after each event.
absl::Status WatchToTheEnd(Client& client, const Target& target, absl::Time until,
                           const std::function<void(ProgressBoard&, const v1::Job&)>& show) {
  ProgressBoard board;
  // Stages in their order, and those the watch will be told of too.
  for (const v1::Job& job : JobsOf(target)) {
    board.Observe(job, absl::Now());
    show(board, job);
  }
  if (board.AllOver()) return absl::OkStatus();
  return client.Watch(RequestFor(target), until, [&](const v1::WatchJobsEvent& event) {
    if (event.has_job()) {
      board.Observe(event.job(), absl::Now());
      show(board, event.job());
    } else if (event.revision() == 0) {
      std::cerr << "the coordinator is away; waiting for it\n";
    }
    return !board.AllOver();
  });
}

}  // namespace

std::vector<v1::Job> JobsOf(const Target& target) {
  if (const auto* job = std::get_if<v1::Job>(&target)) return {*job};
  const auto& jobs = std::get<v1::Pipeline>(target).jobs();
  return {jobs.begin(), jobs.end()};
}

absl::StatusOr<int> Follow(Client& client, const std::string& name, const Globals& globals) {
  TY_ASSIGN_OR_RETURN(const Target target, client.Find(name));
  Screen screen;
  absl::Time drawn = absl::InfinitePast();
  const bool live = OnTerminal();
  const bool json = globals.output == "json";
  TY_RETURN_IF_ERROR(WatchToTheEnd(
      client, target, absl::InfiniteFuture(), [&](ProgressBoard& board, const v1::Job& job) {
        if (json) {
          std::cout << MessageToJson(job).dump() << std::endl;
          return;
        }
        const absl::Time now = absl::Now();
        const std::string news = board.NewsOf(job.id(), now, kQuiet);
        if (live && (!news.empty() || now - drawn >= kRedraw)) {
          const size_t width = TerminalWidth();
          screen.Draw(board.Lines(now, width), width);
          drawn = now;
        } else if (!live && !news.empty()) {
          std::cout << news << std::endl;
        }
      }));
  TY_ASSIGN_OR_RETURN(const Target end, client.Find(name));
  return ExitCodeOf(end);
}

absl::StatusOr<Target> WaitFor(Client& client, const std::string& name, absl::Time until) {
  TY_ASSIGN_OR_RETURN(const Target target, client.Find(name));
  TY_RETURN_IF_ERROR(WatchToTheEnd(client, target, until, [](ProgressBoard&, const v1::Job&) {}));
  return client.Find(name);
}

}  // namespace trainyard::cli
