#include "ppo/wire.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::ppo {
namespace {

absl::StatusOr<rl::SpanSource> SourceFromWire(v1::Span::Source source) {
  switch (source) {
    case v1::Span::PROMPT: return rl::SpanSource::kPrompt;
    case v1::Span::MODEL: return rl::SpanSource::kModel;
    case v1::Span::ENVIRONMENT: return rl::SpanSource::kEnvironment;
    default:
      return absl::InternalError(absl::StrCat("a span's source is ", static_cast<int>(source)));
  }
}

v1::Span::Source SourceToWire(rl::SpanSource source) {
  switch (source) {
    case rl::SpanSource::kPrompt: return v1::Span::PROMPT;
    case rl::SpanSource::kModel: return v1::Span::MODEL;
    case rl::SpanSource::kEnvironment: return v1::Span::ENVIRONMENT;
  }
  return v1::Span::SOURCE_UNSPECIFIED;
}

absl::StatusOr<rl::ScoreStatus> StatusFromWire(v1::ScoreStatus status) {
  switch (status) {
    case v1::SCORE_OK: return rl::ScoreStatus::kOk;
    case v1::SCORE_TIMEOUT: return rl::ScoreStatus::kTimeout;
    case v1::SCORE_VERIFIER_ERROR: return rl::ScoreStatus::kVerifierError;
    case v1::SCORE_MODEL_ERROR: return rl::ScoreStatus::kModelError;
    case v1::SCORE_REJECTED: return rl::ScoreStatus::kRejected;
    default:
      return absl::InternalError(absl::StrCat("a score's status is ", static_cast<int>(status)));
  }
}

v1::ScoreStatus StatusToWire(rl::ScoreStatus status) {
  switch (status) {
    case rl::ScoreStatus::kOk: return v1::SCORE_OK;
    case rl::ScoreStatus::kTimeout: return v1::SCORE_TIMEOUT;
    case rl::ScoreStatus::kVerifierError: return v1::SCORE_VERIFIER_ERROR;
    case rl::ScoreStatus::kModelError: return v1::SCORE_MODEL_ERROR;
    case rl::ScoreStatus::kRejected: return v1::SCORE_REJECTED;
  }
  return v1::SCORE_STATUS_UNSPECIFIED;
}

}  // namespace

v1::SamplingParameters SamplingToWire(const Sampling& sampling) {
  v1::SamplingParameters wire;
  wire.set_temperature(sampling.temperature);
  wire.set_top_k(sampling.top_k);
  wire.set_top_p(sampling.top_p);
  wire.set_max_new_tokens(sampling.max_new_tokens);
  wire.set_min_new_tokens(sampling.min_new_tokens);
  wire.mutable_forbidden_ids()->Add(sampling.forbidden_ids.begin(), sampling.forbidden_ids.end());
  wire.mutable_end_ids()->Add(sampling.end_ids.begin(), sampling.end_ids.end());
  for (const std::string& stop : sampling.stop_strings) wire.add_stop_strings(stop);
  wire.set_ignore_eos(sampling.ignore_eos);
  return wire;
}

absl::StatusOr<rl::Trajectory> AnswerFromWire(const v1::Trajectory& wire) {
  rl::Trajectory answer;
  answer.row = wire.row();
  answer.sample = wire.sample();
  switch (wire.finish()) {
    case v1::FINISH_END:
    case v1::FINISH_STOP: answer.finish = rl::FinishReason::kStop; break;
    case v1::FINISH_LENGTH: answer.finish = rl::FinishReason::kLength; break;
    case v1::FINISH_ABORTED:
      return absl::UnavailableError(
          absl::StrCat("ledger row ", wire.row(), " sample ", wire.sample(), " was aborted"));
    default:
      return absl::InternalError(absl::StrCat("finish of ledger row ", wire.row(), " is ",
                                              static_cast<int>(wire.finish())));
  }
  answer.token_ids.assign(wire.token_ids().begin(), wire.token_ids().end());
  for (const v1::Span& span : wire.spans()) {
    TY_ASSIGN_OR_RETURN(const rl::SpanSource source, SourceFromWire(span.source()));
    answer.spans.push_back({span.begin(), span.end(), source, span.train(), span.policy_version()});
  }
  answer.log_probs.assign(wire.logprobs().begin(), wire.logprobs().end());
  answer.log_kept_mass.assign(wire.log_kept_mass().begin(), wire.log_kept_mass().end());
  return answer;
}

v1::Trajectory TrajectoryToWire(const rl::Trajectory& trajectory) {
  v1::Trajectory wire;
  wire.set_row(trajectory.row);
  wire.set_sample(static_cast<int32_t>(trajectory.sample));
  wire.mutable_token_ids()->Add(trajectory.token_ids.begin(), trajectory.token_ids.end());
  for (const rl::Span& span : trajectory.spans) {
    v1::Span* const to = wire.add_spans();
    to->set_begin(static_cast<int32_t>(span.begin));
    to->set_end(static_cast<int32_t>(span.end));
    to->set_source(SourceToWire(span.source));
    to->set_train(span.train);
    to->set_policy_version(span.policy_version);
  }
  wire.mutable_logprobs()->Add(trajectory.log_probs.begin(), trajectory.log_probs.end());
  wire.mutable_log_kept_mass()->Add(trajectory.log_kept_mass.begin(),
                                    trajectory.log_kept_mass.end());
  wire.set_finish(trajectory.finish == rl::FinishReason::kStop ? v1::FINISH_END
                                                               : v1::FINISH_LENGTH);
  for (const rl::ComponentScore& score : trajectory.scores) {
    v1::ComponentScore* const to = wire.add_scores();
    to->set_component(score.component);
    to->set_at_token(static_cast<int32_t>(score.at_token));
    to->set_raw(score.raw);
    to->set_status(StatusToWire(score.status));
  }
  if (trajectory.status == rl::ScoreStatus::kOk) wire.set_score(trajectory.reward);
  wire.set_score_status(StatusToWire(trajectory.status));
  return wire;
}

v1::UpdatePlan PlanToWire(const rl::IterationPlan& plan) {
  v1::UpdatePlan wire;
  for (const auto& minibatches : plan.passes) {
    v1::UpdatePass* const pass = wire.add_passes();
    for (const rl::Minibatch& minibatch : minibatches) {
      v1::UpdateMinibatch* const to = pass->add_minibatches();
      to->set_token_count(minibatch.trained_tokens);
      for (const rl::RowIndices& share : minibatch.shares) {
        to->add_shares()->mutable_samples()->Add(share.begin(), share.end());
      }
    }
  }
  return wire;
}

absl::Status ApplyScore(const v1::ScoreResult& result, rl::Trajectory& trajectory) {
  TY_ASSIGN_OR_RETURN(trajectory.status, StatusFromWire(result.status()));
  if (trajectory.status == rl::ScoreStatus::kOk && !result.has_score()) {
    return absl::InternalError(absl::StrCat("the score of ledger row ", result.row(),
                                            " is OK and has no value"));
  }
  trajectory.reward = result.score();
  trajectory.scores.clear();
  for (const v1::ComponentScore& component : result.components()) {
    TY_ASSIGN_OR_RETURN(const rl::ScoreStatus status, StatusFromWire(component.status()));
    trajectory.scores.push_back(
        {component.component(), component.at_token(), component.raw(), status});
  }
  return absl::OkStatus();
}

}  // namespace trainyard::ppo
