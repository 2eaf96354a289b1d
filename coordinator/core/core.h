// The coordinator's mind: a pure, deterministic function of (state, event, now).
//
// It holds no threads, clocks, files or sockets and draws no random numbers. The service feeds it
// every RPC, session message and tick, writes the decision's batch to the store and lets the
// decision's orders and replies leave when the batch is durable. The state is ahead of the store by
// the batches in flight; if one of them is lost, so must this object be (restart from the store).

#ifndef TRAINYARD_COORDINATOR_CORE_CORE_H_
#define TRAINYARD_COORDINATOR_CORE_CORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/decision.h"
#include "coordinator/core/event.h"
#include "coordinator/core/options.h"
#include "coordinator/core/records.h"

namespace trainyard::coordinator {

class State;

// Why a job does not run, and the least that would start it.
struct Explanation {
  std::string constraint;  // "gpus", "cpu", "memory", "selector", "roots", "cordon", "lost",
                           // "queue", "after", "backoff", "paused"; empty = nothing holds it
  std::string message;     // names the thing, the value and the limit
  std::string remedy;      // verified by placing again; empty when none was found
};

// What is known about a node now, besides its record.
struct NodeView {
  NodeRecord record;
  bool connected = false;
  absl::Time last_heard = absl::InfinitePast();
  int64_t cpu_milli_used = 0;
  int64_t memory_bytes_used = 0;
  std::vector<TaskRecord> tasks;  // that hold a slot
};

// Owned by one thread.
class Core {
 public:
  // `snapshot` is what the store held when its term began. `now` as in Step.
  Core(CoreOptions options, Snapshot snapshot, absl::Time now);
  ~Core();

  // Decides. `now` never goes back: wall time of the start plus monotonic time since.
  Decision Step(const Event& event, absl::Time now);

  // When a Due is wanted at the latest; infinite = never.
  absl::Time DueAt() const;

  // The following show the state as decided, which may not be durable yet: show them only after
  // revision() is.
  int64_t revision() const;
  uint64_t term() const;

  // NotFound names the job.
  absl::StatusOr<Explanation> Explain(const std::string& job_id) const;
  std::vector<NodeView> Nodes() const;
  // Progress of a live task; nothing when none was reported.
  std::optional<Progress> TaskProgressOf(uint64_t task_uid) const;
  // Progress of rank 0 or the controller of a live job.
  std::optional<Progress> JobProgressOf(const std::string& job_id) const;
  // The job of a live task session (for metrics and log streams); empty when it is not welcome.
  std::string JobOfSession(SessionId session) const;
  // Everything, for the simulator's invariants and for tests.
  const State& state() const;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_CORE_H_
