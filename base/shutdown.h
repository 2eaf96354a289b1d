// Signals become a value that main waits for; shutdown itself is an ordered list in main.

#ifndef TRAINYARD_BASE_SHUTDOWN_H_
#define TRAINYARD_BASE_SHUTDOWN_H_

#include "absl/time/time.h"

namespace trainyard {

// Blocks SIGINT, SIGTERM and SIGPIPE for this and all later threads, so that WaitForStopSignal
// gets the first two. Call first thing in main, before any thread starts.
void BlockStopSignals();

// The stop signal that arrived, or 0 when `timeout` ran out. One thread (main).
int WaitForStopSignal(absl::Duration timeout);

// Asks this process to stop, as if SIGTERM had arrived. Any thread.
void RequestStop();

}  // namespace trainyard

#endif  // TRAINYARD_BASE_SHUTDOWN_H_
