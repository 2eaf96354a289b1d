#include "data/micro_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/fixture.h"

namespace trainyard::data {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PairsOfTest, DropsTiesAndSmallGaps) {
  const auto pairs = PairsOf({1.0f, 3.0f, 1.0f}, 0);
  ASSERT_EQ(pairs.size(), 2);
  EXPECT_EQ(pairs[0].winner, 1);
  EXPECT_EQ(pairs[0].loser, 0);
  EXPECT_EQ(pairs[1].loser, 2);
  EXPECT_EQ(pairs[0].gap, 2.0f);
  EXPECT_EQ(PairsOf({0.0f, 1.0f, 2.0f}, 1.0).size(), 3);  // a gap of exactly the limit counts
  EXPECT_EQ(PairsOf({0.0f, 1.0f, 2.0f}, 1.5).size(), 1);
  EXPECT_THAT(PairsOf({2.0f, 2.0f}, 0), IsEmpty());
}

TEST(MicroBatchBuilderTest, ASampleLearnsItsTrainedTokensFromTheOneBefore) {
  const std::vector<int32_t> bytes_of_id = {0, 1, 2, 4, 8, 16};
  MicroBatchBuilder builder(bytes_of_id);
  const uint8_t text = 0, trained = tokenizer::kTrained;
  builder.AddSegment(SegmentOfSample({1, 2, 3, 4}, {trained, text, trained, trained}));
  builder.AddSegment(SegmentOfSample({5, 5}, {text, trained}));
  const MicroBatch batch = builder.Take();
  ExpectWellFormed(batch);
  EXPECT_THAT(batch.target_ids_N, ElementsAre(2, 3, 4, kNoTarget, 5, kNoTarget));
  EXPECT_THAT(batch.loss_weights_N, ElementsAre(0, 1, 1, 0, 1, 0));
  EXPECT_THAT(batch.positions_N, ElementsAre(0, 1, 2, 3, 0, 1));
  EXPECT_THAT(batch.segment_offsets, ElementsAre(0, 4, 6));
  EXPECT_EQ(batch.units, 3);
  EXPECT_EQ(batch.trained_bytes, 4 + 8 + 16);
  EXPECT_EQ(builder.token_count(), 0);
}

TEST(MicroBatchBuilderTest, AGroupIsOneUnitWhenAnyTwoOfItRank) {
  const std::vector<int32_t> bytes_of_id(4, 1);
  MicroBatchBuilder builder(bytes_of_id);
  builder.AddGroup({{1, 2}, {3}}, {1.0f, 0.0f}, 0);
  builder.AddGroup({{1}, {2, 3}}, {1.0f, 1.0f}, 0);
  const MicroBatch batch = builder.Take();
  ExpectWellFormed(batch);
  EXPECT_EQ(batch.units, 1);
  EXPECT_THAT(batch.groups[1].segments, ElementsAre(2, 3));
  EXPECT_THAT(batch.groups[1].pairs, IsEmpty());
  EXPECT_EQ(batch.trained_bytes, 0);
}

}  // namespace
}  // namespace trainyard::data
