#include "collective/presence.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/cause.h"
#include "base/log.h"
#include "base/status.h"

namespace trainyard::collective {
namespace {

constexpr absl::Duration kBeatInterval = absl::Milliseconds(200);
// A living rank beats at least once in this time, even on a machine that is overloaded.
constexpr absl::Duration kWatch = absl::Milliseconds(1500);
constexpr absl::Duration kStoreTimeout = absl::Seconds(5);

std::string BeatKey(int rank) { return absl::StrCat("beat/", rank); }

}  // namespace

Presence::Presence(std::unique_ptr<Store> store, int rank, int world_size)
    : rank_(rank),
      world_size_(world_size),
      store_(std::move(store)),
      periodic_(kBeatInterval, [this] { Tick(); }) {}

void Presence::Tick() {
  absl::MutexLock lock(&mutex_);
  if (!peer_failure_.ok()) return;
  ++beats_;
  absl::Status beaten =
      store_->Set(BeatKey(rank_), absl::StrCat(beats_, " ", calls_.load()));
  absl::StatusOr<bool> failed = beaten.ok() ? store_->Has("failure") : beaten;
  if (!failed.ok()) {
    peer_failure_ = PeerLostError(absl::StrCat(
        "rank 0, which hosts the rendezvous store, is gone: ", failed.status().message()));
  } else if (*failed) {
    absl::StatusOr<std::string> reason = store_->Get("failure", kStoreTimeout);
    peer_failure_ = PeerLostError(reason.ok() ? *reason : std::string(reason.status().message()));
  }
}

absl::Status Presence::PeerFailure() {
  absl::MutexLock lock(&mutex_);
  return peer_failure_;
}

void Presence::Announce(absl::string_view reason) {
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<int64_t> place = store_->Add("failures", 1);
  if (!place.ok()) {
    Log().warn("cannot tell the other ranks: {}", place.status().ToString());
    return;
  }
  if (*place != 1) return;
  absl::Status told = store_->Set("failure", absl::StrCat("rank ", rank_, ": ", reason));
  if (!told.ok()) Log().warn("cannot tell the other ranks: {}", told.ToString());
}

absl::StatusOr<std::vector<Presence::Beat>> Presence::ReadBeats() {
  std::vector<Beat> all(world_size_);
  for (int rank = 0; rank < world_size_; ++rank) {
    TY_ASSIGN_OR_RETURN(const bool seen, store_->Has(BeatKey(rank)));
    if (!seen) continue;
    TY_ASSIGN_OR_RETURN(const std::string value, store_->Get(BeatKey(rank), kStoreTimeout));
    const std::vector<std::string> fields = absl::StrSplit(value, ' ');
    if (fields.size() != 2 || !absl::SimpleAtoi(fields[0], &all[rank].beats) ||
        !absl::SimpleAtoi(fields[1], &all[rank].calls)) {
      return absl::InternalError(absl::StrCat("beat of rank ", rank, " reads \"", value, "\""));
    }
  }
  return all;
}

absl::Status Presence::Diagnose(absl::string_view what) {
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<std::vector<Beat>> before = ReadBeats();
  const auto known = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !peer_failure_.ok(); };
  if (mutex_.AwaitWithTimeout(absl::Condition(&known), kWatch)) return peer_failure_;
  absl::StatusOr<std::vector<Beat>> after = before.ok() ? ReadBeats() : before;
  if (!after.ok()) {
    return PeerLostError(absl::StrCat(
        "rank 0, which hosts the rendezvous store, is gone: ", after.status().message()));
  }
  std::vector<int> gone;
  std::vector<std::string> late;
  for (int rank = 0; rank < world_size_; ++rank) {
    if (rank == rank_) continue;
    if ((*after)[rank].beats == (*before)[rank].beats) {
      gone.push_back(rank);
    } else if ((*after)[rank].calls < calls_.load()) {
      late.push_back(absl::StrCat("rank ", rank, " has made ", (*after)[rank].calls));
    }
  }
  if (!gone.empty()) {
    return PeerLostError(absl::StrCat("rank ", absl::StrJoin(gone, ", "), " of ", world_size_,
                                      " is gone: ", what));
  }
  return absl::DeadlineExceededError(absl::StrCat(
      "a collective call failed: ", what, "; this rank has made ", calls_.load(), " calls; ",
      late.empty() ? "no other has made fewer" : absl::StrJoin(late, ", ")));
}

}  // namespace trainyard::collective
