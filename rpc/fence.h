// The right to act on a job, as it rides on every data-plane call. Free of gRPC.

#ifndef TRAINYARD_RPC_FENCE_H_
#define TRAINYARD_RPC_FENCE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard::rpc {

// Who speaks, or who is spoken to: constant for the life of a task. A value.
struct JobFence {
  std::string job_id;
  uint64_t epoch = 0;
  // 64 hex digits; compared in constant time, never logged.
  std::string secret;
};

// Metadata keys of the three.
inline constexpr char kJobKey[] = "trainyard-job";
inline constexpr char kEpochKey[] = "trainyard-epoch";
inline constexpr char kSecretKey[] = "trainyard-secret";

// What a call presented, as text; an absent key is empty.
struct PresentedFence {
  std::string job_id;
  std::string epoch;
  std::string secret;
};

// Whether a call may pass. PermissionDenied: wrong job or secret, or none presented. Aborted: the
// caller's epoch is over, it must exit. Unavailable: the caller's epoch is newer than ours, it
// tries again until we are replaced.
absl::Status CheckFence(const JobFence& mine, const PresentedFence& presented);

}  // namespace trainyard::rpc

#endif  // TRAINYARD_RPC_FENCE_H_
