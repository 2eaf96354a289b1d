// The ways out of a task's process.

#ifndef TRAINYARD_TASK_EXIT_H_
#define TRAINYARD_TASK_EXIT_H_

#include "base/end_class.h"

namespace trainyard::task {

// One line in the log that says why the task ends.
void LogEnd(const EndReason& reason);

// Logs the cause and leaves by _exit with the class's code: no destructor, no exit handler, nothing
// that could wait for a poisoned device or a lost peer. Any thread.
[[noreturn]] void ExitNow(const EndReason& reason);

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_EXIT_H_
