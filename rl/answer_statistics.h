// What is watched about an iteration's answers, beside reward and KL. Pure.

#ifndef TRAINYARD_RL_ANSWER_STATISTICS_H_
#define TRAINYARD_RL_ANSWER_STATISTICS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "rl/trajectory.h"

namespace trainyard::rl {

// The share of the answer's n-grams that occurred earlier in the same answer: 0 for none, towards 1
// for a policy stuck in a loop. 0 when the answer is shorter than n.
double RepeatedNgramShare(absl::Span<const int32_t> answer, int64_t n);

struct AnswerStatistics {
  int64_t answers = 0;
  double mean_tokens = 0;          // trained tokens per answer
  double no_end_share = 0;         // of answers cut at the length limit
  double repeated_3gram_share = 0;  // mean over answers
};

// Over all trajectories, excluded or not.
AnswerStatistics Describe(const std::vector<Trajectory>& trajectories);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_ANSWER_STATISTICS_H_
