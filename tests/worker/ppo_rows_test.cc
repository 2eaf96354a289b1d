#include "worker/ppo_rows.h"

#include <gtest/gtest.h>

#include "tests/model/tiny_model.h"

namespace trainyard::worker {
namespace {

using Ids = std::vector<int64_t>;

Ids Longs(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kLong).contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

rl::Trajectory Answer(int64_t row, const std::vector<int32_t>& prompt,
                      const std::vector<int32_t>& answer) {
  rl::Trajectory trajectory;
  trajectory.row = row;
  trajectory.token_ids = prompt;
  trajectory.token_ids.insert(trajectory.token_ids.end(), answer.begin(), answer.end());
  const auto border = static_cast<int64_t>(prompt.size());
  const auto end = static_cast<int64_t>(trajectory.token_ids.size());
  trajectory.spans = {{0, border, rl::SpanSource::kPrompt, false, 0},
                      {border, end, rl::SpanSource::kModel, true, 0}};
  return trajectory;
}

// End token 3, too early for the first two answer tokens; token 9 never.
class PpoRowsTest : public ::testing::Test {
 protected:
  absl::StatusOr<PpoRows> Pack(const rl::RowIndices& members) const {
    const std::vector<int64_t> begins = rl::TokenBegins(trajectories_);
    return PackRows({trajectories_, begins}, members, model_, policy_);
  }
  absl::Status PackError(const rl::Trajectory& trajectory) {
    trajectories_ = {trajectory};
    return Pack({0}).status();
  }
  static bool Says(const absl::Status& status, const std::string& text) {
    return status.message().find(text) != std::string::npos;
  }

  const model::Model model_ = model::TinyModel(model::Family::kLlama, at::kFloat);
  PolicyDefinition policy_ = {
      .temperature = 0.7, .forbidden_ids = {9}, .end_ids = {3}, .min_new_tokens = 2};
  std::vector<rl::Trajectory> trajectories_ = {Answer(0, {10, 11}, {20, 21, 3}),
                                               Answer(1, {12}, {30, 31}),
                                               Answer(2, {13, 14, 15}, {40, 41, 42})};
};

TEST_F(PpoRowsTest, EachAnswerTokenIsPredictedByTheRowBeforeIt) {
  const auto rows = Pack({0, 1});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->tokens.segment_offsets, (Ids{0, 5, 8}));
  EXPECT_EQ(Longs(rows->query.rows_M), (Ids{1, 2, 3, 5, 6}));
  EXPECT_EQ(Longs(rows->query.targets_M), (Ids{20, 21, 3, 30, 31}));
  EXPECT_EQ(rows->places_M, (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(rows->query.temperature, 0.7);
  EXPECT_EQ(rows->query.mask.forbidden_ids, policy_.forbidden_ids);
}

TEST_F(PpoRowsTest, PlacesAreThoseOfTheIterationWhateverIsPacked) {
  const auto rows = Pack({2, 0});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->tokens.segment_offsets, (Ids{0, 6, 11}));
  EXPECT_EQ(Longs(rows->query.rows_M), (Ids{2, 3, 4, 7, 8, 9}));
  EXPECT_EQ(rows->places_M, (Ids{5, 6, 7, 0, 1, 2}));
}

TEST_F(PpoRowsTest, OfSeveralTurnsOnlyTheTrainedTokensAreAsked) {
  rl::Trajectory turns = Answer(0, {10}, {20, 50, 51, 3, 22});
  turns.spans = {{0, 1, rl::SpanSource::kPrompt, false, 0},
                 {1, 2, rl::SpanSource::kModel, true, 0},
                 {2, 3, rl::SpanSource::kEnvironment, false, 0},
                 {3, 4, rl::SpanSource::kModel, false, 0},
                 {4, 6, rl::SpanSource::kModel, true, 0}};
  trajectories_ = {turns, Answer(1, {12}, {30})};
  const auto rows = Pack({1, 0});
  ASSERT_TRUE(rows.ok()) << rows.status() << ": the end is the policy's third token";
  EXPECT_EQ(Longs(rows->query.targets_M), (Ids{30, 20, 3, 22}));
  EXPECT_EQ(Longs(rows->query.rows_M), (Ids{0, 2, 5, 6}));
  EXPECT_EQ(rows->places_M, (Ids{3, 0, 1, 2}));
  EXPECT_EQ(Longs(rows->query.mask.early_M), (Ids{1, 1, 0, 0}));
}

TEST_F(PpoRowsTest, TheEndIsForbiddenInEarlyRowsOnly) {
  const auto rows = Pack({0});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->query.mask.early_forbidden_ids, policy_.end_ids);
  EXPECT_EQ(Longs(rows->query.mask.early_M), (Ids{1, 1, 0}));
  policy_.min_new_tokens = 0;
  const auto free = Pack({0});
  ASSERT_TRUE(free.ok()) << free.status();
  EXPECT_FALSE(free->query.mask.early_M.defined());
  EXPECT_TRUE(free->query.mask.early_forbidden_ids.empty());
}

TEST_F(PpoRowsTest, ATokenThatThePolicyForbidsIsNoAnswerOfIt) {
  const absl::Status early = PackError(Answer(7, {10}, {20, 3}));
  EXPECT_TRUE(absl::IsInvalidArgument(early)) << early;
  EXPECT_TRUE(Says(early, "ledger row 7 sample 0: answer token 1 is 3")) << early;
  const absl::Status forbidden = PackError(Answer(8, {10}, {20, 21, 22, 9}));
  EXPECT_TRUE(Says(forbidden, "ledger row 8 sample 0: answer token 3 is 9")) << forbidden;
  EXPECT_TRUE(PackError(Answer(9, {9, 3}, {20, 21, 3})).ok()) << "a prompt may hold anything";
}

TEST_F(PpoRowsTest, ARowThatIsLongerThanTheContextIsRefused) {
  EXPECT_TRUE(PackError(Answer(0, {10}, std::vector<int32_t>(63, 20))).ok());
  const absl::Status status = PackError(Answer(0, {10}, std::vector<int32_t>(64, 20)));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST_F(PpoRowsTest, ASequenceIsScoredFromItsBeginOn) {
  const std::vector<ScoredSequence> sequences = {{{10, 11, 20, 21, 3}, 2}, {{12, 30}, 1}};
  const auto rows = PackSequences(sequences, model_, policy_);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(Longs(rows->query.rows_M), (Ids{1, 2, 3, 5}));
  EXPECT_EQ(Longs(rows->query.targets_M), (Ids{20, 21, 3, 30}));
  EXPECT_EQ(Longs(rows->query.mask.early_M), (Ids{1, 1, 0, 1}));
  EXPECT_EQ(rows->places_M, (Ids{0, 1, 2, 3}));
  const std::vector<ScoredSequence> too_soon = {{{10, 11, 20, 21, 3}, 4}};
  EXPECT_TRUE(absl::IsInvalidArgument(PackSequences(too_soon, model_, policy_).status()));
}

}  // namespace
}  // namespace trainyard::worker
