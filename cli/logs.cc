#include <iostream>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "cli/message_text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

// Whole lines with the task's name in front, when there is more than one task to tell apart.
class LinePrinter {
 public:
  explicit LinePrinter(bool prefix) : prefix_(prefix) {}
  ~LinePrinter() {
    for (auto& [task, rest] : rest_) {
      if (!rest.empty()) Emit(task, rest + "\n");
    }
  }
  LinePrinter(const LinePrinter&) = delete;
  LinePrinter& operator=(const LinePrinter&) = delete;

  void Add(const v1::LogChunk& chunk) {
    if (!prefix_) {
      std::cout << chunk.data() << std::flush;
      return;
    }
    std::string& rest = rest_[chunk.task()];
    rest += chunk.data();
    size_t end = 0;
    while ((end = rest.find('\n')) != std::string::npos) {
      Emit(chunk.task(), rest.substr(0, end + 1));
      rest.erase(0, end + 1);
    }
    std::cout << std::flush;
  }

 private:
  static void Emit(const std::string& task, const std::string& line) {
    std::cout << task << " | " << line;
  }

  const bool prefix_;
  std::map<std::string, std::string> rest_;
};

// Nothing was printed: NotFound when that is because what was asked for does not exist.
absl::Status WhyNothing(Client& client, const v1::GetLogsRequest& request) {
  TY_ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(request.job()));
  if (request.attempt() > job.attempt()) {
    return absl::NotFoundError(absl::StrCat("job ", job.id(), " has no attempt ", request.attempt(),
                                            " (its last one: ", job.attempt(), ")"));
  }
  const bool of_current = request.attempt() == 0 || request.attempt() == job.attempt();
  if (request.task().empty() || !of_current) return absl::OkStatus();
  std::vector<std::string> tasks;
  for (const v1::Task& task : job.current().tasks()) {
    tasks.push_back(absl::StrCat(task.role(), "/", task.index()));
    if (tasks.back() == request.task()) return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("job ", job.id(), " has no task \"", request.task(),
                                          "\" (tasks: ", absl::StrJoin(tasks, ", "), ")"));
}

}  // namespace

void AddLogs(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "logs", "Show what the tasks of a job printed",
                           "trainyard logs -f demo --task trainer/0");
  const auto request = std::make_shared<v1::GetLogsRequest>();
  const auto job = std::make_shared<std::string>();
  const auto task = std::make_shared<std::string>();
  const auto follow = std::make_shared<bool>(false);
  const auto attempt = std::make_shared<int>(0);
  verb->add_option("JOB", *job, "id or name of a job")->required();
  verb->add_option("--task,-t", *task, "one task only: ROLE/INDEX");
  verb->add_flag("--follow,-f", *follow, "go on until the job is over");
  verb->add_option("--attempt", *attempt, "number of an earlier attempt (default: the last)");
  SetBody(verb, globals, [=]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    request->set_job(*job);
    request->set_task(*task);
    request->set_follow(*follow);
    request->set_attempt(*attempt);
    LinePrinter printer(task->empty());
    bool printed = false;
    TY_RETURN_IF_ERROR(client.Logs(*request, [&](const v1::LogChunk& chunk) {
      printed = true;
      if (globals->output == "json") {
        std::cout << MessageToJson(chunk).dump() << std::endl;
      } else {
        printer.Add(chunk);
      }
    }));
    if (!printed) TY_RETURN_IF_ERROR(WhyNothing(client, *request));
    return kExitOk;
  });
}

}  // namespace trainyard::cli
