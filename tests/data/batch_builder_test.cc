#include "data/batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/data/fixture.h"

namespace trainyard::data {
namespace {

using ::testing::HasSubstr;

class BatchBuilderTest : public DataTest {
 protected:
  static std::unique_ptr<BatchBuilder> Builder(const Dataset& dataset, const BatchOptions& options,
                                               RankOptions rank = {}) {
    auto builder = BatchBuilder::Create(dataset, options, rank);
    EXPECT_TRUE(builder.ok()) << builder.status();
    return *std::move(builder);
  }

  // What the steps from `cursor` on hold, segment by segment, sorted within a step.
  static std::vector<std::vector<std::string>> Steps(BatchBuilder* builder, DataCursor cursor,
                                                     int count) {
    std::vector<std::vector<std::string>> steps;
    for (int i = 0; i < count; ++i) {
      const auto batch = builder->Build(cursor);
      EXPECT_TRUE(batch.ok()) << batch.status();
      for (const MicroBatch& micro_batch : batch->micro_batches) ExpectWellFormed(micro_batch);
      steps.push_back(SegmentKeys(batch->micro_batches));
      cursor = batch->cursor_after;
    }
    return steps;
  }

  // One data set and its options per objective.
  struct Case {
    std::unique_ptr<Dataset> dataset;
    BatchOptions options;
  };
  std::vector<Case> Cases() const {
    std::vector<Case> cases(4);
    SourceSpec a = Source("a", DocumentLines(150), SourceFormat::kTextPerLine);
    SourceSpec b = Source("b", DocumentLines(60), SourceFormat::kTextPerLine);
    a.share.token_budget = 4000;
    b.share.token_budget = 1000;
    cases[0].dataset = Load(Objective::kPretrain, {a, b}, 16);
    cases[1].dataset = Load(Objective::kSft, {Source("c", ConversationRows(2500))}, 128);
    cases[1].options.pack_samples = true;
    cases[2].dataset = Load(Objective::kSft, {Source("c", ConversationRows(100))}, 128);
    cases[3].dataset = Load(Objective::kRewardModel, {Source("r", RatedRows(200))}, 64);
    cases[3].options.token_dropout = 0.1;
    for (Case& one : cases) {
      one.options.seed = 9;
      one.options.packs_per_step = 7;
      one.options.micro_batch_tokens = 100;
    }
    return cases;
  }
};

TEST_F(BatchBuilderTest, ResumeAtAnyPointEqualsNeverStopped) {
  for (const Case& one : Cases()) {
    const auto builder = Builder(*one.dataset, one.options);
    const int count = static_cast<int>(*builder->StepsIn(2.5));
    const auto undisturbed = Steps(builder.get(), builder->Start(), count);
    DataCursor cursor = builder->Start();
    for (int step = 0; step < count; ++step) {
      // A new process: it knows the files, the options and the stored cursor.
      const auto stored = CursorFromJson(CursorToJson(cursor), "checkpoint");
      const auto resumed = Builder(*one.dataset, one.options);
      const auto batch = resumed->Build(*stored);
      ASSERT_TRUE(batch.ok()) << batch.status();
      ASSERT_EQ(SegmentKeys(batch->micro_batches), undisturbed[step]);
      ASSERT_EQ(batch->step, step);
      cursor = batch->cursor_after;
    }
    EXPECT_GE(cursor.pass, 1);
  }
}

TEST_F(BatchBuilderTest, WorldSizesOneTwoAndFourSeeTheSameGlobalStream) {
  for (const Case& one : Cases()) {
    const auto alone = Builder(*one.dataset, one.options);
    DataCursor cursor = alone->Start();
    for (int step = 0; step < 20; ++step) {
      const auto whole = alone->Build(cursor);
      ASSERT_TRUE(whole.ok());
      const auto expected = SegmentKeys(whole->micro_batches);
      for (const int32_t world_size : {2, 4}) {
        std::vector<std::string> together;
        int64_t units = 0;
        for (int32_t rank = 0; rank < world_size; ++rank) {
          const auto part = Builder(*one.dataset, one.options, {rank, world_size})->Build(cursor);
          ASSERT_TRUE(part.ok());
          ASSERT_EQ(part->cursor_after, whole->cursor_after);
          ASSERT_EQ(part->global_units, whole->global_units);
          ASSERT_EQ(part->global_tokens, whole->global_tokens);
          for (const MicroBatch& batch : part->micro_batches) units += batch.units;
          for (std::string& key : SegmentKeys(part->micro_batches)) together.push_back(key);
        }
        ASSERT_EQ(units, whole->global_units);
        ASSERT_THAT(together, ::testing::UnorderedElementsAreArray(expected));
      }
      cursor = whole->cursor_after;
    }
  }
}

TEST_F(BatchBuilderTest, APassCoversEverySampleOnce) {
  const auto dataset = Load(Objective::kSft, {Source("c", ConversationRows(2500))}, 128);
  BatchOptions options;
  options.pack_samples = true;
  const auto builder = Builder(*dataset, options);
  std::map<std::string, int> seen;
  DataCursor cursor = builder->Start();
  while (cursor.pass == 0) {
    const auto batch = builder->Build(cursor);
    ASSERT_TRUE(batch.ok());
    for (const std::string& key : SegmentKeys(batch->micro_batches)) ++seen[key];
    cursor = batch->cursor_after;
  }
  EXPECT_EQ(seen.size(), 2500);
  for (const auto& [key, count] : seen) ASSERT_EQ(count, 1);
}

TEST_F(BatchBuilderTest, MicroBatchesKeepTheirBudgetsAndNeverSplitAGroup) {
  const auto dataset = Load(Objective::kRewardModel, {Source("r", RatedRows(200))}, 64);
  BatchOptions options;
  options.packs_per_step = 10;
  options.group_size = 5;
  options.micro_batch_tokens = 90;  // three groups of five answers of six tokens
  const auto by_tokens = Builder(*dataset, options)->Build(Builder(*dataset, options)->Start());
  for (const MicroBatch& batch : by_tokens->micro_batches) {
    EXPECT_TRUE(batch.token_count() <= 90 || batch.groups.size() == 1);
    for (const RankedGroup& group : batch.groups) EXPECT_EQ(group.segments.size(), 5);
  }
  options.micro_batch_tokens = 16384;
  options.micro_batch_packs = 4;
  const auto by_packs = Builder(*dataset, options)->Build(Builder(*dataset, options)->Start());
  ASSERT_EQ(by_packs->micro_batches.size(), 3);
  EXPECT_EQ(by_packs->micro_batches[2].groups.size(), 2);
}

TEST_F(BatchBuilderTest, OtherDataOrAnotherSeedAreRefusedOnResume) {
  const auto dataset = Load(Objective::kSft, {Source("c", ConversationRows(50))}, 128);
  const auto changed = Load(Objective::kSft, {Source("c", ConversationRows(51))}, 128);
  BatchOptions options;
  const DataCursor cursor = Builder(*dataset, options)->Start();
  EXPECT_TRUE(Builder(*dataset, options)->CheckCursor(cursor).ok());
  EXPECT_EQ(Builder(*changed, options)->Build(cursor).status().code(),
            absl::StatusCode::kFailedPrecondition);
  options.seed = 1;
  EXPECT_THAT(std::string(Builder(*dataset, options)->CheckCursor(cursor).message()),
              HasSubstr("has changed since the checkpoint"));
}

TEST_F(BatchBuilderTest, ACursorOutsideOfItsPassIsOutOfRange) {
  const auto dataset = Load(Objective::kSft, {Source("c", ConversationRows(50))}, 128);
  const auto builder = Builder(*dataset, {});
  DataCursor cursor = builder->Start();
  cursor.window = 1;
  EXPECT_EQ(builder->Build(cursor).status().code(), absl::StatusCode::kOutOfRange);
  cursor.window = 0;
  cursor.pack = 50;
  EXPECT_EQ(builder->Build(cursor).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(BatchBuilderTest, CountsWholeSteps) {
  const auto dataset = Load(Objective::kSft, {Source("c", ConversationRows(100))}, 128);
  BatchOptions options;
  options.packs_per_step = 8;
  EXPECT_EQ(*Builder(*dataset, options)->StepsIn(1), 12);
  EXPECT_EQ(*Builder(*dataset, options)->StepsIn(2), 25);
  EXPECT_EQ(*Builder(*dataset, options)->StepsIn(0.5), 6);
  EXPECT_FALSE(Builder(*dataset, options)->StepsIn(0).ok());
}

TEST_F(BatchBuilderTest, ValidationReadsEverythingOnceWhateverTheWorldSize) {
  for (const Case& one : Cases()) {
    const auto expected =
        SegmentKeys(*Builder(*one.dataset, one.options)->ValidationMicroBatches());
    std::vector<std::string> together;
    for (int32_t rank = 0; rank < 3; ++rank) {
      const auto part = Builder(*one.dataset, one.options, {rank, 3})->ValidationMicroBatches();
      for (std::string& key : SegmentKeys(*part)) together.push_back(key);
    }
    EXPECT_THAT(together, ::testing::UnorderedElementsAreArray(expected));
  }
}

TEST_F(BatchBuilderTest, RefusesOptionsThatCanNotBe) {
  const auto dataset = Load(Objective::kSft, {Source("c", ConversationRows(5))}, 128);
  const auto error = [&](const BatchOptions& options, RankOptions rank = {}) {
    const auto builder = BatchBuilder::Create(*dataset, options, rank);
    EXPECT_EQ(builder.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(builder.status().message());
  };
  BatchOptions options;
  options.packs_per_step = 0;
  EXPECT_THAT(error(options), HasSubstr("packs_per_step"));
  options = {};
  options.group_size = 10;
  EXPECT_THAT(error(options), HasSubstr("group_size is 10, must be 2 .. 9"));
  options = {};
  options.token_dropout = 1;
  EXPECT_THAT(error(options), HasSubstr("token_dropout"));
  EXPECT_THAT(error({}, {2, 2}), HasSubstr("rank is 2"));
}

TEST_F(BatchBuilderTest, DataSmallerThanOneWindowAreRefused) {
  const auto dataset =
      Load(Objective::kPretrain, {Source("d", "tiny\n", SourceFormat::kTextPerLine)}, 64);
  EXPECT_THAT(std::string(BatchBuilder::Create(*dataset, {}, {}).status().message()),
              HasSubstr("not one whole window of max_length = 64 tokens"));
}

}  // namespace
}  // namespace trainyard::data
