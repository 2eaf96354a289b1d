#include "task/run_task.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace trainyard::task {
namespace {

constexpr absl::Duration kEndTimeout = absl::Seconds(10);

}  // namespace

int RunTask(const TaskMain& options, const TaskWork& work) {
  Assignment assignment;
  ConfigureLog(options.name, options.log_level);
  if (!options.assignment_path.empty()) {
    absl::StatusOr<Assignment> loaded = LoadAssignment(options.assignment_path);
    if (!loaded.ok()) {
      Log().error("{}", loaded.status().ToString());
      return ExitCodeOf(EndClassOf(loaded.status()));
    }
    assignment = *std::move(loaded);
    ConfigureLog(assignment.TaskName(), options.log_level);
  }
  const std::unique_ptr<TaskSession> session = Connect(assignment);
  const StopOnSignal stop_on_signal(session.get());
  const GraceWatch grace_watch(session.get(), options.when_stopped);
  Place place = {0, "starting"};
  const absl::Status status = work(assignment, session.get(), &place);
  const EndReason reason = EndReasonOf(status, place, session->StopRequested());
  const absl::Status told = session->End(reason, kEndTimeout);
  if (!told.ok()) Log().warn("the end reason may not have been heard: {}", told.ToString());
  return ExitCodeOf(reason.end_class);
}

EndReason EndReasonOf(const absl::Status& status, const Place& place,
                      const std::optional<StopOrder>& stop) {
  EndReason reason;
  reason.step = place.step;
  reason.phase = place.phase;
  if (status.ok()) {
    reason.end_class = EndClass::kSucceeded;
    if (stop.has_value()) reason.message = absl::StrCat("stopped as ordered: ", stop->reason);
  } else if (absl::IsCancelled(status) && stop.has_value()) {
    reason.end_class = EndClass::kDrained;
    reason.message = stop->reason;
  } else {
    reason.end_class = EndClassOf(status);
    reason.message = std::string(status.message());
  }
  return reason;
}

}  // namespace trainyard::task
