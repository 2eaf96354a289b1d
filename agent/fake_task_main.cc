// trainyard-fake-task: see fake_task.h.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "agent/fake_task.h"
#include "base/log.h"
#include "base/shutdown.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::agent {
namespace {

constexpr absl::Duration kEndTimeout = absl::Seconds(10);

int Main(int argc, char** argv) {
  BlockStopSignals();
  std::string assignment_path;
  CLI::App app("A task for tests of the cluster", "trainyard-fake-task");
  app.add_option("--assignment", assignment_path, "file written by the agent")->required();
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<task::Assignment> assignment = task::LoadAssignment(assignment_path);
  if (!assignment.ok()) {
    Log().error("{}", std::string(assignment.status().message()));
    return ExitCodeOf(EndClass::kInternal);
  }
  ConfigureLog(assignment->TaskName(), "info");
  const std::unique_ptr<task::TaskSession> session = task::Connect(*assignment);
  const task::StopOnSignal stop_on_signal(session.get());
  const absl::StatusOr<FakePlan> plan = PlanOf(*assignment);
  EndReason reason;
  if (plan.ok()) {
    reason = RunFakeTask(*assignment, *plan, session.get());
  } else {
    reason = {.end_class = EndClass::kUserError, .message = std::string(plan.status().message())};
  }
  const absl::Status told = session->End(reason, kEndTimeout);
  if (!told.ok()) Log().warn("{}", told.ToString());
  return ExitCodeOf(reason.end_class);
}

}  // namespace
}  // namespace trainyard::agent

int main(int argc, char** argv) { return trainyard::agent::Main(argc, argv); }
