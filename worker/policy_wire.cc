#include "worker/policy_wire.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::worker {
namespace {

absl::Status Unknown(const v1::Trajectory& wire, const char* what, int value) {
  return absl::InvalidArgumentError(absl::StrCat("trajectory of ledger row ", wire.row(),
                                                 " sample ", wire.sample(), ": ", what, " is ",
                                                 value));
}

absl::StatusOr<rl::SpanSource> SourceFromWire(const v1::Trajectory& wire, const v1::Span& span) {
  switch (span.source()) {
    case v1::Span::PROMPT: return rl::SpanSource::kPrompt;
    case v1::Span::MODEL: return rl::SpanSource::kModel;
    case v1::Span::ENVIRONMENT: return rl::SpanSource::kEnvironment;
    default: return Unknown(wire, "source of a span", span.source());
  }
}

absl::StatusOr<rl::FinishReason> FinishFromWire(const v1::Trajectory& wire) {
  switch (wire.finish()) {
    case v1::FINISH_END:
    case v1::FINISH_STOP: return rl::FinishReason::kStop;
    case v1::FINISH_LENGTH: return rl::FinishReason::kLength;
    default: return Unknown(wire, "finish", wire.finish());
  }
}

absl::StatusOr<rl::ScoreStatus> StatusFromWire(const v1::Trajectory& wire) {
  switch (wire.score_status()) {
    case v1::SCORE_OK:
      if (!wire.has_score()) return Unknown(wire, "score is missing, status", v1::SCORE_OK);
      return rl::ScoreStatus::kOk;
    case v1::SCORE_TIMEOUT: return rl::ScoreStatus::kTimeout;
    case v1::SCORE_VERIFIER_ERROR: return rl::ScoreStatus::kVerifierError;
    case v1::SCORE_MODEL_ERROR: return rl::ScoreStatus::kModelError;
    case v1::SCORE_REJECTED: return rl::ScoreStatus::kRejected;
    default: return Unknown(wire, "score status", wire.score_status());
  }
}

}  // namespace

absl::StatusOr<rl::Trajectory> TrajectoryFromWire(const v1::Trajectory& wire) {
  rl::Trajectory trajectory;
  trajectory.row = wire.row();
  trajectory.sample = wire.sample();
  trajectory.token_ids.assign(wire.token_ids().begin(), wire.token_ids().end());
  for (const v1::Span& span : wire.spans()) {
    TY_ASSIGN_OR_RETURN(const rl::SpanSource source, SourceFromWire(wire, span));
    trajectory.spans.push_back(
        {span.begin(), span.end(), source, span.train(), span.policy_version()});
  }
  trajectory.log_probs.assign(wire.logprobs().begin(), wire.logprobs().end());
  trajectory.log_kept_mass.assign(wire.log_kept_mass().begin(), wire.log_kept_mass().end());
  TY_ASSIGN_OR_RETURN(trajectory.finish, FinishFromWire(wire));
  TY_ASSIGN_OR_RETURN(trajectory.status, StatusFromWire(wire));
  trajectory.reward = wire.score();
  return trajectory;
}

rl::IterationPlan PlanFromWire(const v1::UpdatePlan& wire) {
  rl::IterationPlan plan;
  for (const v1::UpdatePass& pass : wire.passes()) {
    plan.passes.emplace_back();
    for (const v1::UpdateMinibatch& minibatch : pass.minibatches()) {
      rl::Minibatch& to = plan.passes.back().emplace_back();
      to.trained_tokens = minibatch.token_count();
      for (const v1::MinibatchShare& share : minibatch.shares()) {
        to.shares.emplace_back(share.samples().begin(), share.samples().end());
      }
    }
  }
  return plan;
}

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
