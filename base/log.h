// The process's log: one line an entry on standard error, which the agent ships to the coordinator.

#ifndef TRAINYARD_BASE_LOG_H_
#define TRAINYARD_BASE_LOG_H_

#include <spdlog/logger.h>

#include "absl/strings/string_view.h"

namespace trainyard {

// The logger of this process. Thread-safe. Usage: Log().info("step {} loss {:.4f}", step, loss).
spdlog::logger& Log();

// Names the process in every line ("rollout/0") and sets the least severe level that is printed:
// trace, debug, info, warn, error. Call once, first thing in main.
void ConfigureLog(absl::string_view process_name, absl::string_view level);

}  // namespace trainyard

#endif  // TRAINYARD_BASE_LOG_H_
