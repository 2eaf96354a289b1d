#include "rollout/best_of.h"

#include <gtest/gtest.h>

namespace trainyard::rollout {
namespace {

Completion Sample(int32_t index, std::vector<float> logprobs) {
  Completion sample;
  sample.sample = index;
  sample.logprobs = std::move(logprobs);
  sample.finish = FinishReason::kEnd;
  return sample;
}

TEST(BestOf, TheGreatestMeanLogprobsStayWithTheirIndices) {
  const auto best = KeepBest({Sample(0, {-1, -3}), Sample(1, {-1, -1, -1, -1, -1}), Sample(2, {-9}),
                              Sample(3, {-1, -3}), Sample(4, {-0.5f})},
                             4);
  ASSERT_EQ(best.size(), 4u);
  EXPECT_EQ(best[0].sample, 4);
  EXPECT_EQ(best[1].sample, 1);
  EXPECT_EQ(best[2].sample, 0);
  EXPECT_EQ(best[3].sample, 3);
}

TEST(BestOf, NothingIsDecidedWhenASampleWasAborted) {
  Completion aborted = Sample(2, {});
  aborted.finish = FinishReason::kAborted;
  aborted.error = absl::DeadlineExceededError("late");
  const auto best = KeepBest({Sample(0, {-1}), Sample(1, {-2}), aborted}, 2);
  ASSERT_EQ(best.size(), 2u);
  for (const Completion& sample : best) {
    EXPECT_EQ(sample.finish, FinishReason::kAborted);
    EXPECT_TRUE(absl::IsDeadlineExceeded(sample.error));
  }
}

}  // namespace
}  // namespace trainyard::rollout
