#include "ppo/publication.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "ppo/rollout_client.h"

namespace trainyard::ppo {
namespace {

constexpr absl::Duration kIdleWait = absl::Milliseconds(100);

}  // namespace

Publication::Publication(const ControllerOptions& options,
                         std::function<bool(const task::Peer&)> admit)
    : options_(options),
      threads_({.role = "rollout", .threads_per_task = 1, .admit = std::move(admit)},
               [this](const task::Peer& peer, CancelScope* scope) { return Load(peer, scope); }) {}

int Publication::Publish(v1::WeightsManifest manifest) {
  auto shared = std::make_shared<const v1::WeightsManifest>(std::move(manifest));
  absl::MutexLock lock(&mutex_);
  const int served_before = Acknowledged();
  manifest_ = std::move(shared);
  return served_before;
}

bool Publication::NeedsLoading(uint64_t task_uid) const {
  if (manifest_ == nullptr) return false;
  const auto served = served_.find(task_uid);
  return served == served_.end() || served->second != manifest_->version();
}

absl::Status Publication::Load(const task::Peer& peer, CancelScope* scope) {
  std::shared_ptr<const v1::WeightsManifest> manifest;
  {
    absl::MutexLock lock(&mutex_);
    const auto needed = [this, uid = peer.task_uid]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return NeedsLoading(uid);
    };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&needed), kIdleWait)) return absl::OkStatus();
    manifest = manifest_;
  }
  RolloutClient client(peer.endpoint, options_.fence);
  const absl::Time begin = absl::Now();
  TY_RETURN_IF_ERROR(Annotate(client.LoadWeights(*manifest, options_.timeouts.load_weights, scope),
                              "loading weights"));
  Log().debug("rollout/{} serves version {} after {}", peer.index, manifest->version(),
              absl::FormatDuration(absl::Now() - begin));
  absl::MutexLock lock(&mutex_);
  served_[peer.task_uid] = manifest->version();
  return absl::OkStatus();
}

int Publication::Acknowledged() const {
  if (manifest_ == nullptr) return 0;
  return static_cast<int>(
      std::count_if(served_.begin(), served_.end(), [this](const auto& served)
                        ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
        return served.second == manifest_->version();
      }));
}

int Publication::WaitForAcknowledgements(int tasks, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto all = [this, tasks]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return Acknowledged() >= tasks;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&all), timeout);
  return Acknowledged();
}

bool Publication::IsCurrent(uint64_t task_uid) const {
  absl::MutexLock lock(&mutex_);
  return manifest_ != nullptr && !NeedsLoading(task_uid);
}

void Publication::MarkStale(uint64_t task_uid) {
  absl::MutexLock lock(&mutex_);
  served_.erase(task_uid);
}

int64_t Publication::version() const {
  absl::MutexLock lock(&mutex_);
  return manifest_ == nullptr ? -1 : manifest_->version();
}

}  // namespace trainyard::ppo
