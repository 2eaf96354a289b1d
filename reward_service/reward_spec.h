// From the protobuf reward of a spec to plain options. The .cc is the only file that sees both.

#ifndef TRAINYARD_REWARD_SERVICE_REWARD_SPEC_H_
#define TRAINYARD_REWARD_SERVICE_REWARD_SPEC_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "reward_service/reward.h"
#include "task/assignment.h"
#include "trainyard/v1/config.pb.h"

namespace trainyard::reward_service {

struct RewardJob {
  RewardOptions options;
  v1::RewardSpec spec;           // as given, for GetSpec
  // Of the file with the policy's vocabulary (tokenizer/tokenizer_file.h); empty: there is none.
  std::string tokenizer_sha256;
};

// Of PPO, generate and eval jobs. InvalidArgument names the field; NotFound and PermissionDenied
// the file.
absl::StatusOr<RewardJob> ParseRewardJob(const task::Assignment& assignment);

// A reward for a server by itself: a JSON file in the form of config.proto's RewardSpec, whose uris
// are paths.
absl::StatusOr<RewardJob> ReadRewardFile(const std::string& path,
                                         const std::string& tokenizer_directory);

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_REWARD_SPEC_H_
