// Time, passed in so that tests and the simulator decide what it is.

#ifndef TRAINYARD_BASE_CLOCK_H_
#define TRAINYARD_BASE_CLOCK_H_

#include "absl/time/time.h"

namespace trainyard {

// A source of time. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time: for what is stored or shown. May jump.
  virtual absl::Time Now() const = 0;

  // Time since an arbitrary start, which never goes back: for leases, deadlines and durations.
  virtual absl::Duration Monotonic() const = 0;

  // The machine's clock. Lives for ever.
  static const Clock& Real();
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_CLOCK_H_
