#include "wire/trajectory.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::wire {
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

v1::Span::Source SourceToWire(rl::SpanSource source) {
  switch (source) {
    case rl::SpanSource::kPrompt: return v1::Span::PROMPT;
    case rl::SpanSource::kModel: return v1::Span::MODEL;
    case rl::SpanSource::kEnvironment: return v1::Span::ENVIRONMENT;
  }
  return v1::Span::SOURCE_UNSPECIFIED;
}

absl::StatusOr<rl::FinishReason> FinishFromWire(const v1::Trajectory& wire) {
  switch (wire.finish()) {
    case v1::FINISH_END:
    case v1::FINISH_STOP: return rl::FinishReason::kStop;
    case v1::FINISH_LENGTH: return rl::FinishReason::kLength;
    default: return Unknown(wire, "finish", wire.finish());
  }
}

v1::ScoreStatus ScoreStatusToWire(rl::ScoreStatus status) {
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

absl::StatusOr<rl::ScoreStatus> ScoreStatusFromWire(v1::ScoreStatus status) {
  switch (status) {
    case v1::SCORE_OK: return rl::ScoreStatus::kOk;
    case v1::SCORE_TIMEOUT: return rl::ScoreStatus::kTimeout;
    case v1::SCORE_VERIFIER_ERROR: return rl::ScoreStatus::kVerifierError;
    case v1::SCORE_MODEL_ERROR: return rl::ScoreStatus::kModelError;
    case v1::SCORE_REJECTED: return rl::ScoreStatus::kRejected;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("a score's status is ", static_cast<int>(status)));
  }
}

absl::StatusOr<rl::Trajectory> AnswerFromWire(const v1::Trajectory& wire) {
  rl::Trajectory answer;
  answer.row = wire.row();
  answer.sample = wire.sample();
  answer.token_ids.assign(wire.token_ids().begin(), wire.token_ids().end());
  for (const v1::Span& span : wire.spans()) {
    TY_ASSIGN_OR_RETURN(const rl::SpanSource source, SourceFromWire(wire, span));
    answer.spans.push_back({span.begin(), span.end(), source, span.train(), span.policy_version()});
  }
  answer.log_probs.assign(wire.logprobs().begin(), wire.logprobs().end());
  answer.log_kept_mass.assign(wire.log_kept_mass().begin(), wire.log_kept_mass().end());
  TY_ASSIGN_OR_RETURN(answer.finish, FinishFromWire(wire));
  return answer;
}

absl::StatusOr<rl::Trajectory> ScoredFromWire(const v1::Trajectory& wire) {
  TY_ASSIGN_OR_RETURN(rl::Trajectory trajectory, AnswerFromWire(wire));
  const absl::StatusOr<rl::ScoreStatus> status = ScoreStatusFromWire(wire.score_status());
  if (!status.ok()) return Unknown(wire, "score status", wire.score_status());
  if (*status == rl::ScoreStatus::kOk && !wire.has_score()) {
    return Unknown(wire, "score is missing, status", v1::SCORE_OK);
  }
  trajectory.status = *status;
  trajectory.reward = wire.score();
  return trajectory;
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
    to->set_status(ScoreStatusToWire(score.status));
  }
  if (trajectory.status == rl::ScoreStatus::kOk) wire.set_score(trajectory.reward);
  wire.set_score_status(ScoreStatusToWire(trajectory.status));
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

}  // namespace trainyard::wire
