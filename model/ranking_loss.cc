#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/catch_torch.h"
#include "model/loss.h"

namespace trainyard::model {
namespace {

struct Pairs {
  std::vector<int64_t> winners;
  std::vector<int64_t> losers;
  std::vector<double> weights;  // 1 / number of pairs of its group
  int64_t groups = 0;
};

absl::Status CheckGroup(const RankedGroup& group, size_t index, int64_t scores) {
  if (group.score_rows.size() != group.ratings.size()) {
    return absl::InvalidArgumentError(absl::StrCat("ranked group ", index, " has ",
                                                   group.score_rows.size(), " scores and ",
                                                   group.ratings.size(), " ratings"));
  }
  for (const int64_t row : group.score_rows) {
    if (row >= 0 && row < scores) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("ranked group ", index, " names score ", row, " of ", scores));
  }
  return absl::OkStatus();
}

void AddPairs(const RankedGroup& group, double minimum_gap, Pairs* pairs) {
  const size_t before = pairs->winners.size();
  for (size_t i = 0; i < group.ratings.size(); ++i) {
    for (size_t j = 0; j < group.ratings.size(); ++j) {
      const double gap = group.ratings[i] - group.ratings[j];
      if (!(gap > 0.0) || gap < minimum_gap) continue;
      pairs->winners.push_back(group.score_rows[i]);
      pairs->losers.push_back(group.score_rows[j]);
    }
  }
  const size_t added = pairs->winners.size() - before;
  if (added == 0) return;
  ++pairs->groups;
  pairs->weights.insert(pairs->weights.end(), added, 1.0 / static_cast<double>(added));
}

}  // namespace

absl::StatusOr<RankingLoss> PairwiseRankingLoss(const at::Tensor& scores_G,
                                                absl::Span<const RankedGroup> groups,
                                                const RankingOptions& options) {
  Pairs pairs;
  for (size_t i = 0; i < groups.size(); ++i) {
    TY_RETURN_IF_ERROR(CheckGroup(groups[i], i, scores_G.size(0)));
    AddPairs(groups[i], options.minimum_rating_gap, &pairs);
  }
  return CatchTorch("ranking loss", [&] {
    RankingLoss loss;
    loss.groups = pairs.groups;
    loss.pairs = static_cast<int64_t>(pairs.winners.size());
    const auto to_device = [&](const auto& values, at::ScalarType type) {
      return at::tensor(values).to(scores_G.device(), type);
    };
    const at::Tensor gaps_P = scores_G.index_select(0, to_device(pairs.winners, at::kLong)) -
                              scores_G.index_select(0, to_device(pairs.losers, at::kLong));
    const at::Tensor weights_P = to_device(pairs.weights, scores_G.scalar_type());
    loss.loss_sum = -(at::log_sigmoid(gaps_P - options.margin) * weights_P).sum();
    loss.correct_pairs = (gaps_P > 0).sum().item<int64_t>();
    return loss;
  });
}

}  // namespace trainyard::model
