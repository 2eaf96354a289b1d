// The engine on a thread of its own. Other threads only leave commands and never touch it.
// Free of protobuf and gRPC.

#ifndef TRAINYARD_ROLLOUT_ENGINE_LOOP_H_
#define TRAINYARD_ROLLOUT_ENGINE_LOOP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/bounded_queue.h"
#include "base/clock.h"
#include "rollout/engine.h"

namespace trainyard::rollout {

// What the engine is doing, as of its last step.
struct ServingState {
  int64_t version = 0;
  std::string digest;
  EngineLoad load;
  double tokens_per_second = 0;  // new tokens, over about the last second of work
  bool draining = false;
};

// Guarded: any thread may call any method.
class EngineLoop {
 public:
  // What a call gets: new tokens of streamed samples, and every sample when it has ended. A delta
  // comes before its completion. When kMostDeltas wait to be read, later tokens of a sample are
  // joined into one delta that waits in the engine; what is left of them the completion tells: a
  // slow reader costs memory for its answers and never stops the engine.
  struct Delivery {
    TokenDelta delta;
    std::unique_ptr<Completion> completion;  // null: a delta
  };
  using Deliveries = BoundedQueue<Delivery>;
  static constexpr size_t kMostDeltas = 256;

  // Requests that are taken together or not at all. Tickets and deadlines are filled in here.
  struct GenerateCall {
    std::vector<GenerateRequest> requests;
    int64_t version = -1;  // that must serve; -1: any
    absl::Duration timeout;
    // Must have room for every sample's completion and, with streamed requests, kMostDeltas more.
    std::shared_ptr<Deliveries> deliveries;
  };
  struct ScoreCall {
    std::vector<ScoreRequest> requests;
    int64_t version = -1;
    absl::Duration timeout;
  };

  EngineLoop(std::unique_ptr<Engine> engine, const Clock& clock);
  // Aborts what is in flight (Cancelled) and waits for the thread.
  ~EngineLoop();
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;

  // The tickets. What Engine::Add says; FailedPrecondition when another version serves;
  // Unavailable while draining; ResourceExhausted when the command queue is full.
  absl::StatusOr<std::vector<uint64_t>> Generate(GenerateCall call);

  // Waits for the log-probs of all requests, in their order. Errors as above, or the first error
  // of a request.
  absl::StatusOr<std::vector<ScoreResult>> Score(ScoreCall call);

  // Frees what the tickets hold, before the engine's next step. Nothing more is delivered.
  void Cancel(std::vector<uint64_t> tickets);

  // Engine::Swap between two steps.
  absl::Status Swap(std::shared_ptr<const PackedModel> model, absl::Duration timeout);

  // Takes no more work; waits until what runs has ended, or aborts it after `timeout`. Returns the
  // number of samples aborted.
  absl::StatusOr<int> Drain(absl::Duration timeout);

  ServingState state() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Where a ticket's results go.
  struct Route {
    std::shared_ptr<Deliveries> deliveries;
    std::shared_ptr<BoundedQueue<ScoreResult>> scores;
    int left = 0;
    std::map<int32_t, TokenDelta> unsent;  // by sample
  };

  // Requests that are taken together or not at all, and how many results each gives.
  template <typename Request>
  struct Admission {
    std::vector<Request> requests;
    int64_t version = -1;
    absl::Duration timeout;
    Route route;  // `left` is filled in
    int (*results)(const Request& request);
  };

  // The tickets. Errors as Generate.
  template <typename Request>
  absl::StatusOr<std::vector<uint64_t>> Admit(Admission<Request> admission);
  // On the engine's thread.
  void Drop(const std::vector<uint64_t>& tickets);
  // Runs `command` on the engine's thread and waits for its status.
  absl::Status Execute(std::function<absl::Status()> command, absl::Duration timeout);
  absl::Status CheckServing(int64_t version) const;
  void Run();
  void Deliver(StepResult result);
  void DeliverDelta(TokenDelta delta);
  void Publish(int new_tokens) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IdleState() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return state_.load.running == 0 && state_.load.waiting == 0;
  }

  const Clock& clock_;
  BoundedQueue<std::function<void()>> commands_;

  // The engine thread's own.
  const std::unique_ptr<Engine> engine_;
  std::map<uint64_t, Route> routes_;
  uint64_t last_ticket_ = 0;
  bool draining_ = false;
  absl::Duration window_begin_;
  int64_t window_tokens_ = 0;
  double tokens_per_second_ = 0;

  mutable absl::Mutex mutex_;
  ServingState state_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_ENGINE_LOOP_H_
