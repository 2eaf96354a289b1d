#include "worker/ppo_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::worker {
namespace {

// Collects rows and queries, then makes tensors of them once.
class Packer {
 public:
  Packer(const model::Model& model, const PolicyDefinition& policy)
      : model_(model),
        policy_(policy),
        forbidden_(policy.forbidden_ids.begin(), policy.forbidden_ids.end()),
        end_(policy.end_ids.begin(), policy.end_ids.end()) {}

  void BeginSequence(absl::Span<const int32_t> token_ids) {
    first_row_ = static_cast<int64_t>(token_ids_.size());
    token_ids_.insert(token_ids_.end(), token_ids.begin(), token_ids.end());
    offsets_.push_back(static_cast<int64_t>(token_ids_.size()));
  }

  // The token at `index` of the sequence is its answer's `answer_token`th.
  absl::Status Query(int64_t index, int64_t answer_token, int64_t place) {
    const int64_t target = token_ids_[first_row_ + index];
    const bool early = answer_token < policy_.min_new_tokens;
    if (forbidden_.count(target) > 0 || (early && end_.count(target) > 0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "answer token ", answer_token, " is ", target,
          ", which the policy forbids there: rollout and learner differ in forbidden ids or "
          "min_new_tokens"));
    }
    rows_.push_back(first_row_ + index - 1);
    targets_.push_back(target);
    early_.push_back(early);
    places_.push_back(place);
    return absl::OkStatus();
  }

  absl::StatusOr<PpoRows> Finish() {
    const at::Device device = model_.token_embedding_VD.device();
    PpoRows rows;
    TY_ASSIGN_OR_RETURN(rows.tokens,
                        model::PackTokens(model_.config,
                                          {.token_ids = token_ids_, .segment_offsets = offsets_},
                                          device));
    const auto longs = at::TensorOptions().dtype(at::kLong);
    rows.query.rows_M = at::tensor(rows_, longs).to(device);
    rows.query.targets_M = at::tensor(targets_, longs).to(device);
    rows.query.temperature = policy_.temperature;
    rows.query.mask.forbidden_ids = policy_.forbidden_ids;
    if (std::find(early_.begin(), early_.end(), 1) != early_.end()) {
      rows.query.mask.early_forbidden_ids = policy_.end_ids;
      rows.query.mask.early_M = at::tensor(early_, longs).to(at::kBool).to(device);
    }
    rows.places_M = std::move(places_);
    return rows;
  }

 private:
  const model::Model& model_;
  const PolicyDefinition& policy_;
  const std::set<int64_t> forbidden_;
  const std::set<int64_t> end_;
  int64_t first_row_ = 0;
  std::vector<int32_t> token_ids_;
  std::vector<int64_t> offsets_ = {0};
  std::vector<int64_t> rows_, targets_, early_, places_;
};

absl::Status PackTrajectory(const rl::Trajectory& trajectory, int64_t place, Packer& packer) {
  packer.BeginSequence(trajectory.token_ids);
  int64_t answer_token = 0;
  for (const rl::Span& span : trajectory.spans) {
    if (span.source != rl::SpanSource::kModel) continue;
    for (int64_t index = span.begin; index < span.end; ++index, ++answer_token) {
      if (!span.train) continue;
      TY_RETURN_IF_ERROR(packer.Query(index, answer_token, place++));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PpoRows> PackRows(const IterationRows& iteration, const rl::RowIndices& members,
                                 const model::Model& model, const PolicyDefinition& policy) {
  Packer packer(model, policy);
  for (int64_t member : members) {
    const rl::Trajectory& trajectory = iteration.trajectories[member];
    const absl::Status packed = PackTrajectory(trajectory, iteration.begins[member], packer);
    if (!packed.ok()) {
      return Annotate(packed, absl::StrCat("ledger row ", trajectory.row, " sample ",
                                           trajectory.sample));
    }
  }
  return packer.Finish();
}

absl::StatusOr<PpoRows> PackSequences(absl::Span<const ScoredSequence> sequences,
                                      const model::Model& model, const PolicyDefinition& policy) {
  Packer packer(model, policy);
  int64_t place = 0;
  for (const ScoredSequence& sequence : sequences) {
    packer.BeginSequence(sequence.token_ids);
    const int64_t length = static_cast<int64_t>(sequence.token_ids.size());
    for (int64_t index = sequence.begin; index < length; ++index) {
      TY_RETURN_IF_ERROR(packer.Query(index, index - sequence.begin, place++));
    }
  }
  return packer.Finish();
}

}  // namespace trainyard::worker
