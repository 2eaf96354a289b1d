#include "rl/answer_statistics.h"

#include <set>

namespace trainyard::rl {

double RepeatedNgramShare(absl::Span<const int32_t> answer, int64_t n) {
  const int64_t count = static_cast<int64_t>(answer.size()) - n + 1;
  if (count <= 0) return 0;
  std::set<std::vector<int32_t>> seen;
  int64_t repeated = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto ngram = answer.subspan(i, n);
    repeated += !seen.insert(std::vector<int32_t>(ngram.begin(), ngram.end())).second;
  }
  return static_cast<double>(repeated) / static_cast<double>(count);
}

AnswerStatistics Describe(const std::vector<Trajectory>& trajectories) {
  AnswerStatistics statistics;
  statistics.answers = static_cast<int64_t>(trajectories.size());
  if (trajectories.empty()) return statistics;
  for (const Trajectory& trajectory : trajectories) {
    std::vector<int32_t> answer;
    for (int64_t index : TrainedTokens(trajectory)) answer.push_back(trajectory.token_ids[index]);
    statistics.mean_tokens += static_cast<double>(answer.size());
    statistics.no_end_share += trajectory.finish == FinishReason::kLength;
    statistics.repeated_3gram_share += RepeatedNgramShare(answer, 3);
  }
  const double answers = static_cast<double>(statistics.answers);
  statistics.mean_tokens /= answers;
  statistics.no_end_share /= answers;
  statistics.repeated_3gram_share /= answers;
  return statistics;
}

}  // namespace trainyard::rl
