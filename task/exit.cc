#include "task/exit.h"

#include <unistd.h>

#include "base/log.h"

namespace trainyard::task {

void LogEnd(const EndReason& reason) {
  const std::string name(EndClassName(reason.end_class));
  if (reason.end_class == EndClass::kSucceeded) {
    Log().info("ends: {} {}", name, reason.message);
  } else {
    Log().error("ends: {} at step {} ({}): {}", name, reason.step,
                reason.phase.empty() ? "no phase" : reason.phase, reason.message);
  }
  Log().flush();
}

void ExitNow(const EndReason& reason) {
  LogEnd(reason);
  _exit(ExitCodeOf(reason.end_class));
}

}  // namespace trainyard::task
