#include "rl/answer_statistics.h"

#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

TEST(AnswerStatisticsTest, RepeatedNgramsAreCountedWithinOneAnswer) {
  EXPECT_DOUBLE_EQ(RepeatedNgramShare({1, 2, 3, 4, 5}, 3), 0);
  EXPECT_DOUBLE_EQ(RepeatedNgramShare({1, 1, 1, 1, 1, 1}, 3), 0.75);
  EXPECT_DOUBLE_EQ(RepeatedNgramShare({1, 2}, 3), 0);
}

TEST(AnswerStatisticsTest, LengthAndEndsAreMeans) {
  Trajectory ended;
  ended.token_ids = {9, 1, 1, 1, 1};
  ended.spans = {{0, 1, SpanSource::kPrompt, false, 0}, {1, 5, SpanSource::kModel, true, 0}};
  Trajectory cut = ended;
  cut.token_ids = {9, 1, 2};
  cut.spans[1].end = 3;
  cut.finish = FinishReason::kLength;
  const AnswerStatistics statistics = Describe({ended, cut});
  EXPECT_DOUBLE_EQ(statistics.mean_tokens, 3);
  EXPECT_DOUBLE_EQ(statistics.no_end_share, 0.5);
  EXPECT_DOUBLE_EQ(statistics.repeated_3gram_share, 0.25);
}

}  // namespace
}  // namespace trainyard::rl
