#include "base/session_link.h"

#include <algorithm>

namespace trainyard {
namespace {

constexpr absl::Duration kShortestHeartbeat = absl::Milliseconds(10);

}  // namespace

int64_t SessionLink::Open(absl::Duration now) {
  phase_ = Phase::kOpening;
  heard_at_ = now;
  return ++stream_;
}

void SessionLink::Lose(absl::Duration now) {
  phase_ = Phase::kWaiting;
  open_at_ = now + backoff_.Next();
}

bool SessionLink::Uses(int64_t stream) const {
  return (phase_ == Phase::kOpening || phase_ == Phase::kOpen) && stream == stream_;
}

bool SessionLink::Hear(int64_t stream, bool welcome, absl::Duration now) {
  if (!Uses(stream) || (phase_ == Phase::kOpening && !welcome)) return false;
  heard_at_ = now;
  return true;
}

bool SessionLink::AcceptTerm(uint64_t term) {
  if (term < highest_term_) return false;
  highest_term_ = term;
  return true;
}

bool SessionLink::Welcome(absl::Duration heartbeat, absl::Duration now) {
  const bool first = phase_ != Phase::kOpen;
  phase_ = Phase::kOpen;
  backoff_.Reset();
  heartbeat_ = std::max(heartbeat, kShortestHeartbeat);
  heartbeat_at_ = now + heartbeat_;
  return first;
}

SessionLink::Due SessionLink::DueAt(absl::Duration now) const {
  if (phase_ == Phase::kWaiting && now >= open_at_) return Due::kOpen;
  if (phase_ != Phase::kOpening && phase_ != Phase::kOpen) return Due::kNothing;
  if (now >= SilentAt()) return Due::kSilent;
  return phase_ == Phase::kOpen && now >= heartbeat_at_ ? Due::kHeartbeat : Due::kNothing;
}

absl::Duration SessionLink::NextDue() const {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kEnded:
      return absl::InfiniteDuration();
    case Phase::kWaiting:
      return open_at_;
    case Phase::kOpening:
      return SilentAt();
    case Phase::kOpen:
      break;
  }
  return std::min(heartbeat_at_, SilentAt());
}

int64_t SessionLink::NextHeartbeat(absl::Duration now) {
  heartbeat_at_ = now + heartbeat_;
  return ++heartbeats_;
}

absl::Duration SessionLink::SilentAt() const {
  return heard_at_ + (phase_ == Phase::kOpen ? std::max(options_.silence, 3 * heartbeat_)
                                             : options_.silence);
}

}  // namespace trainyard
