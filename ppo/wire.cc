#include "ppo/wire.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "wire/trajectory.h"

namespace trainyard::ppo {
namespace {

absl::StatusOr<rl::ScoreStatus> StatusOf(v1::ScoreStatus status) {
  const absl::StatusOr<rl::ScoreStatus> known = wire::ScoreStatusFromWire(status);
  if (!known.ok()) return absl::InternalError(known.status().message());
  return known;
}

}  // namespace

v1::SamplingParameters SamplingToWire(const Sampling& sampling) {
  v1::SamplingParameters wire;
  wire.set_temperature(sampling.temperature);
  wire.set_top_k(sampling.top_k);
  wire.set_top_p(sampling.top_p);
  wire.set_min_p(sampling.min_p);
  wire.set_typical_p(sampling.typical_p);
  wire.set_max_new_tokens(sampling.max_new_tokens);
  wire.set_min_new_tokens(sampling.min_new_tokens);
  wire.mutable_forbidden_ids()->Add(sampling.forbidden_ids.begin(), sampling.forbidden_ids.end());
  wire.mutable_end_ids()->Add(sampling.end_ids.begin(), sampling.end_ids.end());
  for (const std::string& stop : sampling.stop_strings) wire.add_stop_strings(stop);
  wire.set_ignore_eos(sampling.ignore_eos);
  return wire;
}

absl::StatusOr<rl::Trajectory> AnswerFromWire(const v1::Trajectory& message) {
  if (message.finish() == v1::FINISH_ABORTED) {
    return absl::UnavailableError(absl::StrCat("ledger row ", message.row(), " sample ",
                                               message.sample(), " was aborted"));
  }
  absl::StatusOr<rl::Trajectory> answer = wire::AnswerFromWire(message);
  // What a task of ours says is never the user's fault.
  if (!answer.ok()) return absl::InternalError(answer.status().message());
  return answer;
}

absl::Status ApplyScore(const v1::ScoreResult& result, rl::Trajectory& trajectory) {
  TY_ASSIGN_OR_RETURN(trajectory.status, StatusOf(result.status()));
  if (trajectory.status == rl::ScoreStatus::kOk && !result.has_score()) {
    return absl::InternalError(absl::StrCat("the score of ledger row ", result.row(),
                                            " is OK and has no value"));
  }
  trajectory.reward = result.score();
  trajectory.scores.clear();
  for (const v1::ComponentScore& component : result.components()) {
    TY_ASSIGN_OR_RETURN(const rl::ScoreStatus status, StatusOf(component.status()));
    trajectory.scores.push_back(
        {component.component(), component.at_token(), component.raw(), status});
  }
  return absl::OkStatus();
}

}  // namespace trainyard::ppo
