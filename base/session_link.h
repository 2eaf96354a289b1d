// How a client keeps one stream to the coordinator: when to open it, when to give it up, what of it
// counts. Agents and tasks decide the rest themselves: what to say, and what silence means.
//
//            Open               Welcome                 End
//   kIdle ---------> kOpening ----------> kOpen ------------------------> kEnded
//                      ^  |                 |                               ^
//              back-off|  | closed, silent, | closed, silent,               |
//                      |  v stale           | stale                         |
//                    kWaiting <-------------+-------------------------------+

#ifndef TRAINYARD_BASE_SESSION_LINK_H_
#define TRAINYARD_BASE_SESSION_LINK_H_

#include <cstdint>

#include "absl/time/time.h"
#include "base/backoff.h"

namespace trainyard {

struct SessionLinkOptions {
  absl::Duration first_backoff = absl::Milliseconds(100);
  absl::Duration longest_backoff = absl::Seconds(2);
  // Longest wait for the welcome, and for anything at all afterwards (at least 3 heartbeats).
  absl::Duration silence = absl::Seconds(10);
  // The coordinator's term that is known at the start; 0 = none.
  uint64_t term = 0;
  // Key of the back-off's random numbers.
  uint64_t random_key = 0;
};

// A value. Pure: every `now` is the caller's, monotonic.
class SessionLink {
 public:
  enum class Phase { kIdle, kWaiting, kOpening, kOpen, kEnded };
  // What is due at a moment.
  enum class Due {
    kNothing,
    kOpen,       // call Open
    kSilent,     // close the stream and call Lose
    kHeartbeat,  // say it with NextHeartbeat
  };

  explicit SessionLink(const SessionLinkOptions& options)
      : options_(options),
        backoff_(options.first_backoff, options.longest_backoff, options.random_key),
        highest_term_(options.term) {}

  Phase phase() const { return phase_; }
  bool open() const { return phase_ == Phase::kOpen; }
  // The stream opened last. Numbers grow from 1.
  int64_t stream() const { return stream_; }
  uint64_t highest_term() const { return highest_term_; }

  // The number of the stream that the caller opens now.
  int64_t Open(absl::Duration now);
  // The stream is gone or given up; another is due after a pause.
  void Lose(absl::Duration now);
  // There will be no other.
  void End() { phase_ = Phase::kEnded; }

  // Whether `stream` is the one in use.
  bool Uses(int64_t stream) const;
  // A message came. False: it does not count, because it is of a former stream, or comes before the
  // welcome, which says who speaks.
  bool Hear(int64_t stream, bool welcome, absl::Duration now);
  // False: the coordinator that speaks was replaced by a later one; the stream is to be lost.
  bool AcceptTerm(uint64_t term);
  // The coordinator took the session. False when it had done so on this stream before.
  bool Welcome(absl::Duration heartbeat, absl::Duration now);

  Due DueAt(absl::Duration now) const;
  // When something is due at the latest; infinite = never.
  absl::Duration NextDue() const;
  // The number of the heartbeat that the caller sends now.
  int64_t NextHeartbeat(absl::Duration now);

 private:
  absl::Duration SilentAt() const;

  SessionLinkOptions options_;
  Backoff backoff_;
  Phase phase_ = Phase::kIdle;
  int64_t stream_ = 0;
  absl::Duration open_at_ = absl::InfiniteDuration();
  absl::Duration heard_at_ = absl::ZeroDuration();
  absl::Duration heartbeat_ = absl::Seconds(1);
  absl::Duration heartbeat_at_ = absl::InfiniteDuration();
  int64_t heartbeats_ = 0;
  uint64_t highest_term_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_SESSION_LINK_H_
