// Carries decisions to those who wait for them: sessions, callers, watchers.

#ifndef TRAINYARD_COORDINATOR_COURIER_H_
#define TRAINYARD_COORDINATOR_COURIER_H_

#include <atomic>

#include "base/periodic.h"
#include "coordinator/call_table.h"
#include "coordinator/core_loop.h"
#include "coordinator/job_board.h"
#include "coordinator/session_table.h"
#include "coordinator/watch_hub.h"

namespace trainyard::coordinator {

// What it hands over to; all outlive it.
struct CourierParts {
  CallTable& calls;
  SessionTable& sessions;
  JobBoard& board;
  WatchHub& watches;
};

// Immediate runs on the loop's thread, Durable on the gate's, and live progress goes to watchers a
// few times a second on a thread of its own.
class Courier : public Outbox {
 public:
  Courier(CourierParts parts, int64_t durable_revision);

  void Immediate(const Decision& decision) override;
  void Durable(const Decision& decision) override;

  // Of the last decision that was carried out.
  int64_t revision() const { return revision_.load(); }

 private:
  void Tell(const JobView& view, bool with_metrics);
  void TellProgress();

  const CourierParts parts_;
  std::atomic<int64_t> revision_;
  Periodic progress_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_COURIER_H_
