// The one thread on which the core decides: a queue of events in front, the store and the gate
// behind.

#ifndef TRAINYARD_COORDINATOR_CORE_LOOP_H_
#define TRAINYARD_COORDINATOR_CORE_LOOP_H_

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "coordinator/core/core.h"
#include "coordinator/durable_gate.h"
#include "coordinator/store.h"

namespace trainyard::coordinator {

// Where decisions go.
class Outbox {
 public:
  virtual ~Outbox() = default;
  // On the loop's thread, before anything is durable: heartbeat acknowledgements, live progress.
  virtual void Immediate(const Decision& decision) = 0;
  // On the gate's thread, in order, once the decision's revision is durable.
  virtual void Durable(const Decision& decision) = 0;
};

struct CoreLoopOptions {
  CoreOptions core;
  absl::Duration tick_interval = absl::Milliseconds(200);
  // Events that may wait. Users' calls are refused when it is full, sessions are closed.
  size_t queue_capacity = 65536;
};

// What the loop works with; all outlive it.
struct CoreLoopParts {
  const Clock& clock;
  Store& store;
  DurableGate& gate;
  Outbox& outbox;
};

// Guarded. Decides in the order of the queue; ticks only when it is empty, so that a heartbeat that
// arrived is never overtaken by the tick that would miss it.
class CoreLoop {
 public:
  // `snapshot` is what the store loaded.
  CoreLoop(CoreLoopOptions options, Snapshot snapshot, CoreLoopParts parts);
  // Decides what is queued, then ends its thread.
  ~CoreLoop();
  CoreLoop(const CoreLoop&) = delete;
  CoreLoop& operator=(const CoreLoop&) = delete;

  // Queues an event. False when the queue is full or the loop ends: the caller answers Unavailable.
  bool Post(Event event) ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues one that can not be refused (a session's end); there is one of them per session.
  void PostAlways(Event event) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `look` on the loop's thread, then the function it returns once all that it saw is durable.
  // False as Post.
  using Look = std::function<std::function<void()>(const Core&, absl::Time now)>;
  bool Query(Look look) ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t term() const { return term_; }
  size_t queued() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Item = std::variant<Event, Look>;

  bool Add(Item item, bool always) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run();
  void Decide(const Event& event);
  void NoteStoreCondition();
  absl::Time Now() const;
  bool ItemOrStopping() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !items_.empty();
  }

  const CoreLoopOptions options_;
  const CoreLoopParts parts_;
  const absl::Time wall_start_;
  const absl::Duration monotonic_start_;
  Core core_;  // the loop's thread only
  const uint64_t term_;
  std::string read_only_reason_;  // the loop's thread only
  mutable absl::Mutex mutex_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_LOOP_H_
