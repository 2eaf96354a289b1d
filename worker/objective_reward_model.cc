#include "worker/objective_reward_model.h"

#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/catch_torch.h"
#include "worker/micro_batch_tensors.h"

namespace trainyard::worker {
namespace {

// Pairs are counted apart by the least gap of their ratings; 0 = all.
constexpr std::array<int, 3> kGaps = {0, 1, 2};

// Pairs and correctly ordered pairs, by kGaps.
std::vector<double> CountPairs(const std::vector<data::RankedGroup>& groups,
                               const at::Tensor& scores_G) {
  std::vector<double> sums(2 * kGaps.size(), 0);
  const at::Tensor host_scores = scores_G.detach().to(at::kCPU, at::kDouble).contiguous();
  const auto* scores = host_scores.data_ptr<double>();
  for (const data::RankedGroup& group : groups) {
    for (const data::RankedPair& pair : group.pairs) {
      const bool correct =
          scores[group.segments[pair.winner]] > scores[group.segments[pair.loser]];
      for (size_t g = 0; g < kGaps.size(); ++g) {
        if (pair.gap < kGaps[g]) continue;
        sums[2 * g] += 1;
        sums[2 * g + 1] += correct ? 1 : 0;
      }
    }
  }
  return sums;
}

std::vector<model::RankedGroup> ModelGroups(const std::vector<data::RankedGroup>& groups) {
  std::vector<model::RankedGroup> converted;
  for (const data::RankedGroup& group : groups) {
    converted.push_back({{group.segments.begin(), group.segments.end()},
                         {group.scores.begin(), group.scores.end()}});
  }
  return converted;
}

}  // namespace

size_t RewardModelObjective::sum_count() const { return 2 * kGaps.size(); }

absl::StatusOr<MicroLoss> RewardModelObjective::Loss(const data::MicroBatch& micro_batch, Mode) {
  TY_ASSIGN_OR_RETURN(const model::PackedTokens packed, PackMicroBatch(*model_, micro_batch));
  return model::CatchTorch("forward", [&]() -> absl::StatusOr<MicroLoss> {
    const at::Tensor hidden_ND = model::Forward(*model_, packed);
    const at::Tensor scores_G = model::ScalarScores(*model_, hidden_ND, LastRows(packed));
    const std::vector<model::RankedGroup> groups = ModelGroups(micro_batch.groups);
    TY_ASSIGN_OR_RETURN(const model::RankingLoss ranking,
                        model::PairwiseRankingLoss(scores_G, groups, options_));
    if (ranking.groups != micro_batch.units) {
      return absl::InternalError(absl::StrCat("the data counted ", micro_batch.units,
                                              " groups with a pair, the loss ", ranking.groups));
    }
    return MicroLoss{ranking.loss_sum, CountPairs(micro_batch.groups, scores_G)};
  });
}

std::map<std::string, double> RewardModelObjective::Metrics(const LossTotals& totals) const {
  std::map<std::string, double> metrics = {{"loss", totals.loss_sum / totals.units}};
  for (size_t g = 0; g < kGaps.size(); ++g) {
    const double pairs = totals.sums[2 * g];
    if (pairs == 0) continue;
    const std::string name =
        kGaps[g] == 0 ? "pair_accuracy" : absl::StrCat("pair_accuracy_gap_", kGaps[g]);
    metrics[name] = totals.sums[2 * g + 1] / pairs;
  }
  return metrics;
}

}  // namespace trainyard::worker
