// trainyard-fake-task: see fake_task.h.

#include <CLI/CLI.hpp>
#include <string>

#include "agent/fake_task.h"
#include "base/cause.h"
#include "base/progress.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "task/assignment.h"
#include "task/run_task.h"
#include "task/session.h"

namespace trainyard::agent {
namespace {

absl::Status Work(const task::Assignment& assignment, task::TaskSession* session, Place* place) {
  TY_ASSIGN_OR_RETURN(const FakePlan plan, PlanOf(assignment));
  const EndReason reason = RunFakeTask(assignment, plan, session);
  *place = {reason.step, reason.phase};
  if (reason.end_class == EndClass::kSucceeded) return absl::OkStatus();
  return WithCause(absl::InternalError(reason.message), reason.end_class);
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  std::string assignment_path;
  CLI::App app("A task for tests of the cluster", "trainyard-fake-task");
  app.add_option("--assignment", assignment_path, "file written by the agent")->required();
  CLI11_PARSE(app, argc, argv);
  return task::RunTask({.assignment_path = assignment_path, .name = "fake-task"}, Work);
}

}  // namespace
}  // namespace trainyard::agent

int main(int argc, char** argv) { return trainyard::agent::Main(argc, argv); }
