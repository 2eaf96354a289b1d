// The policy version that rollout tasks must serve, and who serves it.

#ifndef TRAINYARD_PPO_PUBLICATION_H_
#define TRAINYARD_PPO_PUBLICATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "ppo/options.h"
#include "ppo/task_threads.h"
#include "task/session.h"
#include "trainyard/v1/weights.pb.h"

namespace trainyard::ppo {

// Keeps every rollout task at the published version: each has a thread that loads it, again and
// again until it is acknowledged. A task that did not acknowledge is STALE: it gets no prompts and
// is not dead. One that joins late, or comes back as a new process, is brought up the same way.
//
// Publish, Reconcile and WaitForAcknowledgements belong to the controller's thread; the rest is
// guarded.
class Publication {
 public:
  // `admit`: whether a task may work at all.
  Publication(const ControllerOptions& options, std::function<bool(const task::Peer&)> admit);

  // From now on this is the version to serve. Returns how many tasks served the one before: those
  // worth waiting for.
  int Publish(v1::WeightsManifest manifest) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the loading threads fit the peers. Returns how many tasks there are to keep up.
  int Reconcile(const task::PeerSnapshot& peers) { return threads_.Reconcile(peers); }

  // Waits up to `timeout` until `tasks` tasks have acknowledged the published version; returns how
  // many have.
  int WaitForAcknowledgements(int tasks, absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether this task serves the published version.
  bool IsCurrent(uint64_t task_uid) const ABSL_LOCKS_EXCLUDED(mutex_);
  // A task refused the version or serves another: it has to load again.
  void MarkStale(uint64_t task_uid) ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t version() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Load(const task::Peer& peer, CancelScope* scope) ABSL_LOCKS_EXCLUDED(mutex_);
  int Acknowledged() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool NeedsLoading(uint64_t task_uid) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const ControllerOptions& options_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const v1::WeightsManifest> manifest_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, int64_t> served_ ABSL_GUARDED_BY(mutex_);  // task_uid -> acknowledged version
  TaskThreads threads_;  // last: its threads use all of the above
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_PUBLICATION_H_
