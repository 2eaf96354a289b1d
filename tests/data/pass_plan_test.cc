#include "data/pass_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/data/fixture.h"

namespace trainyard::data {
namespace {

class PassPlanTest : public DataTest {
 protected:
  static std::vector<Pack> AllPacks(const PassPlan& plan) {
    std::vector<Pack> packs;
    for (int64_t window = 0; window < plan.window_count(); ++window) {
      for (const Pack& pack : plan.Window(window)) packs.push_back(pack);
    }
    return packs;
  }
  // Reads every pack by itself, and checks what it says about itself.
  static std::vector<MicroBatch> ReadAll(const Dataset& dataset, const PassPlan& plan) {
    std::vector<MicroBatch> batches;
    MicroBatchBuilder builder(dataset.bytes_of_id());
    for (const Pack& pack : AllPacks(plan)) {
      plan.Append(pack, &builder);
      batches.push_back(builder.Take());
      const MicroBatch& batch = batches.back();
      ExpectWellFormed(batch);
      EXPECT_EQ(pack.tokens, batch.token_count());
      EXPECT_EQ(pack.units, batch.units);
      EXPECT_EQ(pack.segments, batch.segment_count());
    }
    return batches;
  }
};

TEST_F(PassPlanTest, WindowsCutOneStreamAndEveryTokenButTheFirstIsATargetOnce) {
  const auto dataset =
      Load(Objective::kPretrain, {Source("d", DocumentLines(200), SourceFormat::kTextPerLine)}, 16);
  const auto plan = MakePassPlan(*dataset, {}, 5, 0);
  std::vector<int32_t> inputs, targets;
  for (const MicroBatch& batch : ReadAll(*dataset, *plan)) {
    ASSERT_EQ(batch.token_count(), 16);
    ASSERT_EQ(batch.segment_count(), 1);
    inputs.insert(inputs.end(), batch.token_ids_N.begin(), batch.token_ids_N.end());
    targets.insert(targets.end(), batch.target_ids_N.begin(), batch.target_ids_N.end());
  }
  for (size_t i = 0; i + 1 < inputs.size(); ++i) ASSERT_EQ(targets[i], inputs[i + 1]);
  int64_t stream = 0;
  for (int64_t i = 0; i < 200; ++i) stream += dataset->source(0).Tokens(i) + 1;
  EXPECT_EQ(inputs.size(), (stream - 1) / 16 * 16);
  // Every document is there, whole, between two ends.
  const std::string text = Text(inputs);
  int found = 0;
  for (int i = 0; i < 200; ++i) {
    found += text.find("<|end|>doc" + std::to_string(i)) != std::string::npos;
  }
  EXPECT_GE(found, 197);  // all but the first and the last few, which the cut may touch
}

TEST_F(PassPlanTest, IsolatedDocumentsAreSegmentsThatPredictNothingAcrossTheirEnd) {
  const auto dataset =
      Load(Objective::kPretrain, {Source("d", DocumentLines(200), SourceFormat::kTextPerLine)}, 64);
  PassPlanOptions options;
  options.isolate_documents = true;
  const auto plan = MakePassPlan(*dataset, options, 5, 0);
  for (const MicroBatch& batch : ReadAll(*dataset, *plan)) {
    ASSERT_GT(batch.segment_count(), 1);
    for (int64_t i = 0; i < batch.token_count(); ++i) {
      if (batch.token_ids_N[i] == kEnd) {
        ASSERT_EQ(batch.target_ids_N[i], kNoTarget);
      }
    }
  }
}

TEST_F(PassPlanTest, FileOrderKeepsTheLastShortWindow) {
  const auto dataset =
      Load(Objective::kPretrain, {Source("d", DocumentLines(30), SourceFormat::kTextPerLine)}, 64);
  PassPlanOptions options;
  options.in_file_order = true;
  const auto plan = MakePassPlan(*dataset, options, 5, 0);
  int64_t units = 0, bytes = 0;
  for (const MicroBatch& batch : ReadAll(*dataset, *plan)) {
    units += batch.units;
    bytes += batch.trained_bytes;
  }
  int64_t text = 0;
  for (int64_t i = 0; i < 30; ++i) text += dataset->source(0).Tokens(i);
  EXPECT_EQ(units, text + 30 - 1);
  EXPECT_EQ(bytes, text - 1);  // one byte a token; ends are no text
}

TEST_F(PassPlanTest, PackedConversationsAreTheUnpackedOnes) {
  const auto dataset = Load(Objective::kSft, {Source("c", ConversationRows(3000))}, 128);
  std::multiset<std::string> unpacked, packed;
  PassPlanOptions options;
  const auto one_by_one = ReadAll(*dataset, *MakePassPlan(*dataset, options, 5, 0));
  EXPECT_EQ(one_by_one.size(), 3000);
  for (const std::string& key : SegmentKeys(one_by_one)) unpacked.insert(key);
  options.pack_samples = true;
  const auto plan = MakePassPlan(*dataset, options, 5, 0);
  EXPECT_EQ(plan->window_count(), 3);
  const auto packs = ReadAll(*dataset, *plan);
  EXPECT_LT(packs.size(), 3000 / 3);
  for (const MicroBatch& batch : packs) EXPECT_LE(batch.token_count(), 128);
  for (const std::string& key : SegmentKeys(packs)) packed.insert(key);
  EXPECT_EQ(packed, unpacked);
}

TEST_F(PassPlanTest, TokenDropoutTakesTextOnlyAndDependsOnThePass) {
  const auto dataset = Load(Objective::kRewardModel, {Source("r", RatedRows(300))}, 64);
  PassPlanOptions options;
  options.token_dropout = 0.3;
  options.dropout_id = kPad;
  const auto first = ReadAll(*dataset, *MakePassPlan(*dataset, options, 5, 0));
  const auto again = ReadAll(*dataset, *MakePassPlan(*dataset, options, 5, 0));
  EXPECT_EQ(SegmentKeys(first), SegmentKeys(again));
  int64_t dropped = 0, text = 0;
  for (const MicroBatch& batch : first) {
    for (int64_t s = 0; s < batch.segment_count(); ++s) {
      EXPECT_EQ(batch.token_ids_N[batch.segment_offsets[s]], kUser);
      EXPECT_EQ(batch.token_ids_N[batch.segment_offsets[s + 1] - 1], kEnd);
    }
    for (const int32_t id : batch.token_ids_N) {
      dropped += id == kPad;
      text += id == kPad || id > kEnd;
    }
  }
  EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(text), 0.3, 0.06);
  options.in_file_order = true;
  for (const MicroBatch& batch : ReadAll(*dataset, *MakePassPlan(*dataset, options, 5, 0))) {
    EXPECT_THAT(batch.token_ids_N, ::testing::Each(::testing::Ne(kPad)));
  }
}

}  // namespace
}  // namespace trainyard::data
