#include "rollout/beam_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace trainyard::rollout {
namespace {

using testing::ElementsAre;
using testing::Field;

constexpr int32_t kEnd = 0;

class BeamSearchTest : public testing::Test {
 protected:
  BeamSearchTest() {
    sampling_.beam.width = 2;
    sampling_.end_ids = {kEnd};
    sampling_.max_new_tokens = 4;
  }

  // Starts again with the options of sampling_.beam.
  void Restart() { search_ = std::make_unique<BeamSearch>(sampling_.beam); }

  std::vector<BeamSearch::Child> Advance(std::vector<std::vector<TokenLogprob>> ranked,
                                         int64_t version = 0) {
    if (search_ == nullptr) Restart();
    return search_->Advance(ranked, version, {sampling_, token_bytes_, sampling_.max_new_tokens});
  }

  SamplingParameters sampling_;
  const std::vector<std::string> token_bytes_ = {"", "a", "b", "c"};
  std::unique_ptr<BeamSearch> search_;
};

auto IsChild(int parent, int32_t token) {
  return testing::AllOf(Field(&BeamSearch::Child::parent, parent),
                        Field(&BeamSearch::Child::token, token));
}

TEST_F(BeamSearchTest, TheBestContinuationsOfAllBeamsGoOn) {
  EXPECT_THAT(Advance({{{1, -0.5f}, {2, -1}, {3, -2}}}), ElementsAre(IsChild(0, 1), IsChild(0, 2)));
  // -0.5 - 3, -0.5 - 4; -1 - 0.1, -1 - 0.2: both are of the second beam.
  EXPECT_THAT(Advance({{{1, -3}, {2, -4}}, {{3, -0.1f}, {1, -0.2f}}}),
              ElementsAre(IsChild(1, 3), IsChild(1, 1)));
  EXPECT_EQ(search_->beams(), 2);
}

TEST_F(BeamSearchTest, AnEndAmongTheBestIsAHypothesisAndAnEndBelowIsNone) {
  Advance({{{1, -0.5f}, {2, -1}, {kEnd, -1.5f}}});  // the third of two: no hypothesis
  EXPECT_THAT(Advance({{{kEnd, -0.1f}, {1, -0.2f}}, {{2, -0.3f}}}),
              ElementsAre(IsChild(0, 1), IsChild(1, 2)));
  Advance({{{1, -1}}, {{1, -1}}});
  EXPECT_THAT(Advance({{{1, -1}}, {{1, -1}}}), testing::IsEmpty()) << "all tokens are used";
  const std::vector<Completion> best = search_->Best(2);
  EXPECT_THAT(best[0].token_ids, ElementsAre(1, kEnd));  // -0.6 / 2
  EXPECT_EQ(best[0].finish, FinishReason::kEnd);
  EXPECT_THAT(best[0].logprobs, ElementsAre(-0.5f, -0.1f));
  EXPECT_THAT(best[1].token_ids, ElementsAre(1, 1, 1, 1));  // -2.7 / 4
  EXPECT_EQ(best[1].finish, FinishReason::kLength);
  EXPECT_EQ(best[1].sample, 1);
}

TEST_F(BeamSearchTest, ThePenaltyPrefersLongOrShortHypotheses) {
  const auto best = [&](double penalty) {
    sampling_.beam.length_penalty = penalty;
    sampling_.beam.early_stopping = EarlyStopping::kNever;
    Restart();
    Advance({{{kEnd, -1}, {1, -1.2f}, {2, -9}}});
    auto children = Advance({{{1, -0.3f}}, {{1, -9}}});
    while (!children.empty()) children = Advance({{{1, -0.3f}}, {{1, -9}}});
    return search_->Best(1)[0].token_ids.size();
  };
  EXPECT_EQ(best(0), 1u);   // -1 beside -2.1
  EXPECT_EQ(best(1), 4u);   // -1 beside -2.1 / 4
  EXPECT_EQ(best(-2), 1u);  // -1 beside -2.1 * 16
}

// Two hypotheses of -2 and -3 stand, the best beam has -2.8 after two tokens of four.
TEST_F(BeamSearchTest, EarlyStoppingSaysWhenToEnd) {
  const auto goes_on = [&](EarlyStopping when, float open_score, double penalty = 0.5) {
    sampling_.beam.early_stopping = when;
    sampling_.beam.length_penalty = penalty;
    Restart();
    EXPECT_EQ(Advance({{{kEnd, -2}, {1, -2.1f}, {2, -2.2f}, {3, -9}}}).size(), 2u);
    return !Advance({{{kEnd, -0.5f}, {1, open_score + 2.1f}}, {{2, -20}, {1, -21}}}).empty();
  };
  // Hypotheses rank -2 and -2.6 / sqrt(2) = -1.84: the worst is -2.
  EXPECT_FALSE(goes_on(EarlyStopping::kFirst, -2.7f));
  EXPECT_TRUE(goes_on(EarlyStopping::kHeuristic, -2.7f));   // -2.7 / sqrt(2) = -1.91
  EXPECT_FALSE(goes_on(EarlyStopping::kHeuristic, -2.9f));  // -2.05
  EXPECT_TRUE(goes_on(EarlyStopping::kNever, -2.9f));       // -2.9 / sqrt(4) = -1.45
  EXPECT_FALSE(goes_on(EarlyStopping::kNever, -4.1f));
  // Without reward for length, what is open can only become worse.
  EXPECT_FALSE(goes_on(EarlyStopping::kNever, -2.7f, 0));
}

TEST_F(BeamSearchTest, IgnoredEndsDoNotEndAndStopStringsDo) {
  sampling_.ignore_eos = true;
  sampling_.stop_strings = {"ab"};
  Advance({{{1, -0.1f}, {kEnd, -0.2f}}});
  EXPECT_THAT(Advance({{{2, -0.1f}}, {{2, -0.2f}}}), ElementsAre(IsChild(1, 2)));
  const Completion best = search_->Partial(1, absl::AbortedError("test"))[0];
  EXPECT_THAT(best.token_ids, ElementsAre(1, 2));
  EXPECT_EQ(BeamSearch::Candidates(sampling_), 4);
  sampling_.ignore_eos = false;
  sampling_.end_ids = {0, 1, 2};
  EXPECT_EQ(BeamSearch::Candidates(sampling_), 8);
}

TEST_F(BeamSearchTest, PartialResultsAreHypothesesThenBeamsAllAborted) {
  Advance({{{kEnd, -2}, {1, -3}, {2, -4}}}, 7);
  const auto partial = search_->Partial(2, absl::DeadlineExceededError("late"));
  EXPECT_THAT(partial[0].token_ids, ElementsAre(kEnd));
  EXPECT_THAT(partial[1].token_ids, ElementsAre(1));
  EXPECT_EQ(partial[1].spans[0].version, 7);
  for (const Completion& each : partial) {
    EXPECT_EQ(each.finish, FinishReason::kAborted);
    EXPECT_TRUE(absl::IsDeadlineExceeded(each.error));
  }
}

TEST_F(BeamSearchTest, HypothesesThatDoNotExistAreNotFound) {
  sampling_.max_new_tokens = 1;
  EXPECT_TRUE(Advance({{{3, -0.1f}}}).empty());
  const auto best = search_->Best(2);
  EXPECT_TRUE(best[0].error.ok());
  EXPECT_TRUE(absl::IsNotFound(best[1].error));
  EXPECT_EQ(best[1].finish, FinishReason::kAborted);
}

}  // namespace
}  // namespace trainyard::rollout
