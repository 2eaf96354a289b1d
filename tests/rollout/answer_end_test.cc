#include "rollout/answer_end.h"

#include <gtest/gtest.h>

namespace trainyard::rollout {
namespace {

TEST(AnswerEndTest, EndsComeBeforeStopsAndStopsBeforeLengths) {
  SamplingParameters sampling;
  sampling.end_ids = {2};
  sampling.stop_strings = {"ab"};
  const std::vector<std::string> bytes = {"xa", "b", "ab"};
  const AnswerEnd end = {sampling, bytes, 3};
  std::string tail;
  EXPECT_EQ(EndOf(end, 2, 3, &tail), FinishReason::kEnd);
  EXPECT_EQ(EndOf(end, 0, 1, &tail), std::nullopt);
  EXPECT_EQ(tail, "a") << "as much as a stop string may reach back";
  EXPECT_EQ(EndOf(end, 1, 3, &tail), FinishReason::kStop);
  tail.clear();
  EXPECT_EQ(EndOf(end, 1, 2, &tail), std::nullopt);
  EXPECT_EQ(EndOf(end, 1, 3, &tail), FinishReason::kLength);
  sampling.ignore_eos = true;
  tail.clear();
  EXPECT_EQ(EndOf(end, 2, 1, &tail), FinishReason::kStop);
}

TEST(AnswerEndTest, ATokenWithoutTextIsNoPartOfAStop) {
  SamplingParameters sampling;
  sampling.stop_strings = {"a"};
  std::string tail;
  EXPECT_EQ(EndOf({sampling, {"a"}, 9}, 7, 1, &tail), std::nullopt);
}

}  // namespace
}  // namespace trainyard::rollout
