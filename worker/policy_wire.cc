#include "worker/policy_wire.h"

#include "absl/strings/str_cat.h"

namespace trainyard::worker {
v1::UpdateProgress ProgressToWire(const MinibatchProgress& progress) {
  v1::UpdateProgress wire;
  wire.set_pass(static_cast<int32_t>(progress.pass));
  wire.set_minibatch(static_cast<int32_t>(progress.minibatch));
  wire.mutable_metrics()->insert(progress.metrics.begin(), progress.metrics.end());
  return wire;
}

v1::UpdateResult ResultToWire(const IterationResult& result) {
  v1::UpdateResult wire;
  wire.set_iteration(result.iteration);
  wire.set_version(result.version);
  wire.set_weights_digest(result.weights_digest);
  wire.mutable_metrics()->insert(result.metrics.begin(), result.metrics.end());
  return wire;
}

absl::StatusOr<ScoredModel> ModelFromWire(v1::PolicyModel model) {
  switch (model) {
    case v1::POLICY: return ScoredModel::kPolicy;
    case v1::REFERENCE: return ScoredModel::kReference;
    case v1::CRITIC: return ScoredModel::kCritic;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "model is ", static_cast<int>(model), ", must be POLICY, REFERENCE or CRITIC"));
  }
}

v1::WeightsManifest ManifestToWire(const PublishedWeights& weights, const std::string& source) {
  v1::WeightsManifest wire;
  wire.set_version(weights.version);
  wire.set_base_version(weights.version);
  wire.set_form(v1::WeightsManifest::FULL);
  wire.add_sources(source);
  wire.set_config_json(weights.config_json);
  wire.set_tokenizer_hash(weights.tokenizer_sha256);
  wire.set_digest(weights.digest);
  for (const PublishedTensor& tensor : weights.tensors) {
    v1::WeightsTensor* to = wire.add_tensors();
    to->set_name(tensor.name);
    to->set_dtype(tensor.dtype);
    to->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    to->set_xxh3(tensor.xxh3);
    v1::WeightsPiece* piece = to->add_pieces();
    piece->set_length(static_cast<int64_t>(tensor.size_bytes));
    piece->set_source_rank(0);
  }
  return wire;
}

}  // namespace trainyard::worker
