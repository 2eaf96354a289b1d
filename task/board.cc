#include "task/board.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace trainyard::task {
namespace {

std::string Describe(const PeerSnapshot& snapshot) {
  std::vector<std::string> peers;
  for (const Peer& peer : snapshot.peers) {
    peers.push_back(absl::StrCat(peer.role, "/", peer.index,
                                 peer.draining ? " draining" : (peer.ready ? " ready" : "")));
  }
  return peers.empty() ? "none" : absl::StrJoin(peers, ", ");
}

}  // namespace

std::vector<Peer> PeerSnapshot::Ready(absl::string_view role) const {
  std::vector<Peer> ready;
  for (const Peer& peer : peers) {
    if (peer.role == role && peer.ready && !peer.draining) ready.push_back(peer);
  }
  std::sort(ready.begin(), ready.end(),
            [](const Peer& a, const Peer& b) { return a.index < b.index; });
  return ready;
}

void Board::SetPeers(PeerSnapshot peers) {
  absl::MutexLock lock(&mutex_);
  peers_ = std::move(peers);
  ++peers_changes_;
}

void Board::SetStop(const StopOrder& order) {
  absl::MutexLock lock(&mutex_);
  if (!stop_) stop_ = order;
}

void Board::SetEnded(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  if (!ended_) ended_ = std::move(status);
}

PeerSnapshot Board::peers() const {
  absl::MutexLock lock(&mutex_);
  return peers_;
}

std::optional<StopOrder> Board::stop() const {
  absl::MutexLock lock(&mutex_);
  return stop_;
}

absl::StatusOr<PeerSnapshot> Board::WaitForPeers(
    const std::function<bool(const PeerSnapshot&)>& predicate, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  int64_t seen = -1;
  while (true) {
    PeerSnapshot snapshot;
    {
      absl::MutexLock lock(&mutex_);
      const auto changed = [&] {
        mutex_.AssertReaderHeld();
        return peers_changes_ != seen || stop_.has_value();
      };
      const bool news = mutex_.AwaitWithDeadline(absl::Condition(&changed), deadline);
      if (stop_) {
        return absl::CancelledError(absl::StrCat("a stop was ordered while waiting for peers: ",
                                                 stop_->reason));
      }
      if (!news) {
        return absl::DeadlineExceededError(absl::StrCat("the peers wanted did not come within ",
                                                        absl::FormatDuration(timeout),
                                                        "; there are: ", Describe(peers_)));
      }
      seen = peers_changes_;
      snapshot = peers_;
    }
    if (predicate(snapshot)) return snapshot;
  }
}

std::optional<StopOrder> Board::WaitForStop(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto ordered = [&] {
    mutex_.AssertReaderHeld();
    return stop_.has_value();
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ordered), timeout);
  return stop_;
}

absl::Status Board::WaitForEnd(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto ended = [&] {
    mutex_.AssertReaderHeld();
    return ended_.has_value();
  };
  if (mutex_.AwaitWithTimeout(absl::Condition(&ended), timeout)) return *ended_;
  return absl::DeadlineExceededError(absl::StrCat(
      "the coordinator did not acknowledge the end within ", absl::FormatDuration(timeout)));
}

}  // namespace trainyard::task
