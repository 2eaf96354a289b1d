#include "ppo/task_threads.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/log.h"

namespace trainyard::ppo {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(5);

}  // namespace

TaskThreads::~TaskThreads() {
  for (const auto& lane : lanes_) lane->scope.Cancel();
  for (const auto& lane : lanes_) lane->thread.join();
}

void TaskThreads::Start(const task::Peer& peer) {
  auto lane = std::make_unique<Lane>();
  lane->peer = peer;
  lane->thread = std::thread([this, raw = lane.get()] { Run(raw); });
  lanes_.push_back(std::move(lane));
}

void TaskThreads::Run(Lane* lane) {
  absl::Duration pause = kFirstPause;
  while (!lane->scope.retired()) {
    const absl::Status status = body_(lane->peer, &lane->scope);
    if (status.ok()) {
      pause = kFirstPause;
      continue;
    }
    if (lane->scope.retired()) break;
    Log().warn("{}/{} at {}: {}; next try in {}", lane->peer.role, lane->peer.index,
               lane->peer.endpoint, status.ToString(), absl::FormatDuration(pause));
    lane->scope.WaitRetired(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
  lane->done.Notify();
}

int TaskThreads::Reconcile(const task::PeerSnapshot& snapshot) {
  std::map<uint64_t, task::Peer> known;
  for (const task::Peer& peer : snapshot.peers) known[peer.task_uid] = peer;
  std::map<uint64_t, task::Peer> wanted;
  for (const task::Peer& peer : snapshot.Ready(options_.role)) {
    if (options_.admit == nullptr || options_.admit(peer)) wanted[peer.task_uid] = peer;
  }
  const size_t at_work = wanted.size();
  for (auto it = lanes_.begin(); it != lanes_.end();) {
    Lane& lane = **it;
    const auto peer = wanted.find(lane.peer.task_uid);
    // A task that serves at another endpoint is another process.
    const bool stays = peer != wanted.end() && peer->second.endpoint == lane.peer.endpoint;
    if (!stays) {
      if (known.count(lane.peer.task_uid) > 0 && known[lane.peer.task_uid].draining) {
        lane.scope.Retire();
      } else {
        lane.scope.Cancel();
      }
    }
    if (!lane.done.HasBeenNotified()) {
      ++it;
      continue;
    }
    lane.thread.join();
    it = lanes_.erase(it);
  }
  std::map<uint64_t, int> counts;
  for (const auto& lane : lanes_) ++counts[lane->peer.task_uid];
  for (const auto& [task_uid, peer] : wanted) {
    if (counts.count(task_uid) > 0) continue;
    for (int i = 0; i < options_.threads_per_task; ++i) Start(peer);
  }
  return static_cast<int>(at_work);
}

}  // namespace trainyard::ppo
