#include "data/batch_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/fixture.h"

namespace trainyard::data {
namespace {

class BatchStreamTest : public DataTest {
 protected:
  std::unique_ptr<BatchBuilder> Builder() const {
    BatchOptions options;
    options.packs_per_step = 4;
    return *BatchBuilder::Create(*dataset_, options, {});
  }
  const std::unique_ptr<Dataset> dataset_ =
      Load(Objective::kSft, {Source("c", ConversationRows(50))}, 128);
};

TEST_F(BatchStreamTest, GivesTheBuildersBatchesThenTheEnd) {
  const auto builder = Builder();
  BatchStream stream(Builder(), builder->Start(), 30, 2);
  DataCursor cursor = builder->Start();
  for (int step = 0; step < 30; ++step) {
    const auto batch = stream.Next(absl::Seconds(30));
    ASSERT_TRUE(batch.ok()) << batch.status();
    const auto expected = builder->Build(cursor);
    EXPECT_EQ(SegmentKeys(batch->micro_batches), SegmentKeys(expected->micro_batches));
    cursor = batch->cursor_after;
    EXPECT_EQ(cursor, expected->cursor_after);
  }
  EXPECT_EQ(stream.Next(absl::Seconds(30)).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(stream.Next(absl::Seconds(30)).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(BatchStreamTest, TheBuildersErrorComesOut) {
  DataCursor cursor = Builder()->Start();
  cursor.fingerprint = "other";
  BatchStream stream(Builder(), cursor, 30);
  EXPECT_EQ(stream.Next(absl::Seconds(30)).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(BatchStreamTest, EndsWhileItsQueueIsFull) {
  const auto builder = Builder();
  BatchStream stream(Builder(), builder->Start(), 1'000'000, 1);
  ASSERT_TRUE(stream.Next(absl::Seconds(30)).ok());
}

}  // namespace
}  // namespace trainyard::data
