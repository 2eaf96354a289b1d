#include "rl/balance.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/random.h"

namespace trainyard::rl {
namespace {

absl::Status Validate(absl::Span<const PlanRow> rows, const PlanOptions& options) {
  const std::pair<const char*, int64_t> positive[] = {
      {"passes", options.passes},
      {"minibatch_rows", options.minibatch_rows},
      {"ranks", options.ranks}};
  for (const auto& [name, value] : positive) {
    if (value >= 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("plan: ", name, " is ", value, ", must be >= 1"));
  }
  int64_t trained = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].trained_tokens < 0 || rows[i].tokens < rows[i].trained_tokens) {
      return absl::InvalidArgumentError(absl::StrCat("plan: row ", i, " trains ",
                                                     rows[i].trained_tokens, " of ",
                                                     rows[i].tokens, " tokens"));
    }
    trained += rows[i].trained_tokens;
  }
  if (trained == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "plan: none of ", rows.size(), " rows has a token to train; look at the reward failures"));
  }
  return absl::OkStatus();
}

// Longest first to the least loaded rank; ties go to the earlier row and the lower rank.
std::vector<RowIndices> CutOverRanks(const RowIndices& members, absl::Span<const PlanRow> rows,
                                     int64_t ranks) {
  std::vector<size_t> longest_first(members.size());
  for (size_t i = 0; i < members.size(); ++i) longest_first[i] = i;
  std::stable_sort(longest_first.begin(), longest_first.end(), [&](size_t a, size_t b) {
    return rows[members[a]].tokens > rows[members[b]].tokens;
  });
  std::vector<int64_t> load(ranks, 0);
  std::vector<int64_t> owner(members.size());
  for (size_t i : longest_first) {
    const int64_t rank = std::min_element(load.begin(), load.end()) - load.begin();
    owner[i] = rank;
    load[rank] += rows[members[i]].tokens;
  }
  std::vector<RowIndices> cut(ranks);
  for (size_t i = 0; i < members.size(); ++i) cut[owner[i]].push_back(members[i]);
  return cut;
}

Minibatch MakeMinibatch(absl::Span<const uint64_t> order, absl::Span<const PlanRow> rows,
                        const PlanOptions& options) {
  Minibatch minibatch;
  RowIndices members;
  for (uint64_t row : order) {
    if (rows[row].trained_tokens == 0) continue;
    members.push_back(static_cast<int64_t>(row));
    minibatch.trained_tokens += rows[row].trained_tokens;
  }
  minibatch.shares = CutOverRanks(members, rows, options.ranks);
  return minibatch;
}

}  // namespace

absl::StatusOr<IterationPlan> MakeIterationPlan(absl::Span<const PlanRow> rows,
                                                const PlanOptions& options) {
  if (absl::Status status = Validate(rows, options); !status.ok()) return status;
  const uint64_t iteration_key =
      DeriveKey(options.seed, "ppo-minibatches", static_cast<uint64_t>(options.iteration));
  IterationPlan plan;
  for (int64_t pass = 0; pass < options.passes; ++pass) {
    const uint64_t key = DeriveKey(iteration_key, "pass", static_cast<uint64_t>(pass));
    const std::vector<uint64_t> order = Permutation(key, rows.size());
    std::vector<Minibatch> minibatches;
    for (size_t begin = 0; begin < order.size(); begin += options.minibatch_rows) {
      Minibatch minibatch = MakeMinibatch(
          absl::MakeConstSpan(order).subspan(begin, options.minibatch_rows), rows, options);
      // All of its rows are masked out: there is no gradient and so no step.
      if (minibatch.trained_tokens > 0) minibatches.push_back(std::move(minibatch));
    }
    plan.passes.push_back(std::move(minibatches));
  }
  return plan;
}

std::vector<RowIndices> CutMicroBatches(const RowIndices& share, absl::Span<const PlanRow> rows,
                                        int64_t budget_tokens) {
  std::vector<RowIndices> micro_batches;
  int64_t tokens = 0;
  for (int64_t row : share) {
    if (micro_batches.empty() || tokens + rows[row].tokens > budget_tokens) {
      micro_batches.emplace_back();
      tokens = 0;
    }
    micro_batches.back().push_back(row);
    tokens += rows[row].tokens;
  }
  return micro_batches;
}

absl::Status ValidatePlan(const IterationPlan& plan, absl::Span<const PlanRow> rows,
                          int64_t ranks) {
  for (const auto& minibatches : plan.passes) {
    std::vector<bool> seen(rows.size(), false);
    for (const Minibatch& minibatch : minibatches) {
      if (static_cast<int64_t>(minibatch.shares.size()) != ranks) {
        return absl::InvalidArgumentError(absl::StrCat("plan: a minibatch has ",
                                                       minibatch.shares.size(), " shares for ",
                                                       ranks, " ranks"));
      }
      int64_t trained = 0;
      for (const RowIndices& share : minibatch.shares) {
        for (int64_t row : share) {
          if (row < 0 || row >= static_cast<int64_t>(rows.size()) || seen[row]) {
            return absl::InvalidArgumentError(absl::StrCat(
                "plan: sample ", row, " of ", rows.size(), " does not exist or occurs twice"));
          }
          seen[row] = true;
          trained += rows[row].trained_tokens;
        }
      }
      if (trained != minibatch.trained_tokens || trained == 0) {
        return absl::InvalidArgumentError(absl::StrCat("plan: a minibatch of ", trained,
                                                       " trained tokens is said to have ",
                                                       minibatch.trained_tokens));
      }
    }
  }
  return absl::OkStatus();
}

std::string DigestUpdate(const IterationPlan& plan, const std::vector<Trajectory>& trajectories) {
  std::string text = DigestTrajectories(trajectories);
  for (const auto& minibatches : plan.passes) {
    absl::StrAppend(&text, "pass\n");
    for (const Minibatch& minibatch : minibatches) {
      absl::StrAppend(&text, minibatch.trained_tokens, "\n");
      for (const RowIndices& share : minibatch.shares) {
        absl::StrAppend(&text, absl::StrJoin(share, " "), "\n");
      }
    }
  }
  return Sha256Hex(text);
}

double Imbalance(const Minibatch& minibatch, absl::Span<const PlanRow> rows) {
  int64_t largest = 0;
  int64_t total = 0;
  for (const RowIndices& share : minibatch.shares) {
    int64_t load = 0;
    for (int64_t row : share) load += rows[row].tokens;
    largest = std::max(largest, load);
    total += load;
  }
  if (total == 0) return 1;
  return static_cast<double>(largest) * static_cast<double>(minibatch.shares.size()) /
         static_cast<double>(total);
}

}  // namespace trainyard::rl
