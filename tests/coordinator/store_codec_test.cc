#include "coordinator/store_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/coordinator/sample_records.h"

namespace trainyard::coordinator {
namespace {

template <typename Record>
void ExpectSame(const Record& record) {
  const auto decoded = DecodeRecord<Record>(EncodeRecord(record));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(EncodeRecord(*decoded), EncodeRecord(record));
}

TEST(StoreCodecTest, EveryRecordComesBack) {
  ExpectSame(SampleJob("job-1"));
  ExpectSame(SampleAttempt("job-1", 2));
  ExpectSame(SampleTask(3, "job-1", 2));
  ExpectSame(SampleNode("node-a"));
  ExpectSame(PipelineRecord{"p", "n", "alice", "r", "d", {"a", "b"}, SampleTime(), 4});
  EXPECT_EQ(*DecodeRecord<JobShape>(EncodeRecord(SampleShape())), SampleShape());
  EXPECT_EQ(*DecodeRecord<CheckpointRow>(EncodeRecord(SampleCheckpoint("j", 5))),
            SampleCheckpoint("j", 5));
  EXPECT_EQ(*DecodeRecord<ArtifactRow>(EncodeRecord(SampleArtifact("j", "m"))),
            SampleArtifact("j", "m"));
}

TEST(StoreCodecTest, NeverForEverAndAbsentAreKept) {
  AttemptRecord attempt;
  attempt.stop_deadline = absl::InfiniteFuture();
  attempt.ended_at = absl::InfinitePast();
  const auto read = DecodeRecord<AttemptRecord>(EncodeRecord(attempt));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->stop_deadline, absl::InfiniteFuture());
  EXPECT_EQ(read->ended_at, absl::InfinitePast());
  JobShape shape;
  EXPECT_EQ(DecodeRecord<JobShape>(EncodeRecord(shape))->max_duration, absl::InfiniteDuration());
  CheckpointRow row;
  EXPECT_FALSE(DecodeRecord<CheckpointRow>(EncodeRecord(row))->metric.has_value());
  row.metric = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(DecodeRecord<CheckpointRow>(EncodeRecord(row))->metric.has_value());
}

TEST(StoreCodecTest, BytesThatAreNotTextDoNotSpoilARecord) {
  TaskRecord task;
  task.end.message = "killed: \xff\xfe";
  const auto read = DecodeRecord<TaskRecord>(EncodeRecord(task));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->end.message, testing::StartsWith("killed: "));
}

TEST(StoreCodecTest, ARecordOfAnOlderVersionKeepsTheDefaultsOfWhatItLacks) {
  const auto read = DecodeRecord<JobShape>(R"({"kind": "sft", "unknown": 3})");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->kind, "sft");
  EXPECT_EQ(read->max_attempts, 3);
}

TEST(StoreCodecTest, DamagedTextIsDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeRecord<JobRecord>("{").status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeRecord<JobRecord>("[]").status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeRecord<JobRecord>(R"({"epoch": "many"})").status()));
}

}  // namespace
}  // namespace trainyard::coordinator
