// Between policy.proto and the learner's plain structs. Knows protobuf, not torch.

#ifndef TRAINYARD_WORKER_POLICY_WIRE_H_
#define TRAINYARD_WORKER_POLICY_WIRE_H_

#include <string>

#include "absl/status/statusor.h"
#include "trainyard/v1/policy.pb.h"
#include "trainyard/v1/weights.pb.h"
#include "worker/learner_options.h"
#include "worker/published_weights.h"

namespace trainyard::worker {

v1::UpdateProgress ProgressToWire(const MinibatchProgress& progress);
v1::UpdateResult ResultToWire(const IterationResult& result);

absl::StatusOr<ScoredModel> ModelFromWire(v1::PolicyModel model);

// `source` is the endpoint of this rank, the only source.
v1::WeightsManifest ManifestToWire(const PublishedWeights& weights, const std::string& source);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_POLICY_WIRE_H_
