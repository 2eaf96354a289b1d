#include "cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

constexpr size_t kWide = 120;
constexpr absl::Duration kQuiet = absl::Seconds(15);

v1::Job JobAt(int64_t step, const std::string& phase = "train") {
  v1::Job job;
  job.set_id("job-a");
  job.mutable_spec()->set_name("mine");
  job.set_state(v1::ACTIVE);
  job.mutable_progress()->set_phase(phase);
  job.mutable_progress()->set_step(step);
  job.mutable_progress()->set_total_steps(100);
  job.mutable_progress()->set_headline(4.5);
  job.mutable_progress()->set_headline_name("loss");
  job.mutable_progress()->set_tokens_per_second(3200);
  return job;
}

TEST(ProgressTest, BarsFill) {
  EXPECT_EQ(Bar(0, 4), "[....]");
  EXPECT_EQ(Bar(0.5, 4), "[##..]");
  EXPECT_EQ(Bar(2, 4), "[####]");
}

TEST(ProgressTest, TimeLeftFollowsThePaceThatWasSeen) {
  ProgressBoard board;
  const absl::Time start = absl::UnixEpoch();
  board.Observe(JobAt(0), start);
  board.Observe(JobAt(10), start + absl::Seconds(60));
  EXPECT_THAT(board.Lines(start + absl::Seconds(60), kWide)[0], ::testing::Not(HasSubstr("left")));
  board.Observe(JobAt(20), start + absl::Seconds(70));
  EXPECT_EQ(board.Lines(start + absl::Seconds(70), kWide)[0],
            "mine  train      [#####...................] 20/100  loss 4.5  3.2k tokens/s  "
            "1m20s left");
}

TEST(ProgressTest, TheBarGivesWayToTheNumbers) {
  ProgressBoard board;
  board.Observe(JobAt(50), absl::UnixEpoch());
  EXPECT_EQ(board.Lines(absl::UnixEpoch(), 61)[0],
            "mine  train      [#####.....] 50/100  loss 4.5  3.2k tokens/s");
  EXPECT_EQ(board.Lines(absl::UnixEpoch(), 20)[0],
            "mine  train      [##..] 50/100  loss 4.5  3.2k tokens/s");
}

TEST(ProgressTest, ALogTellsStatesPhasesAndTenthsOnce) {
  ProgressBoard board;
  const absl::Time start = absl::UnixEpoch();
  board.Observe(JobAt(1), start);
  EXPECT_NE(board.NewsOf("job-a", start, kQuiet), "");
  EXPECT_EQ(board.NewsOf("job-a", start, kQuiet), "");
  board.Observe(JobAt(2), start);
  EXPECT_EQ(board.NewsOf("job-a", start, kQuiet), "");
  board.Observe(JobAt(11), start);
  EXPECT_NE(board.NewsOf("job-a", start, kQuiet), "");
  board.Observe(JobAt(12, "checkpoint"), start);
  EXPECT_NE(board.NewsOf("job-a", start, kQuiet), "");
  EXPECT_NE(board.NewsOf("job-a", start + kQuiet, kQuiet), "");
}

TEST(ProgressTest, AllIsOverWhenEveryJobIs) {
  ProgressBoard board;
  EXPECT_FALSE(board.AllOver());
  v1::Job job = JobAt(1);
  board.Observe(job, absl::UnixEpoch());
  EXPECT_FALSE(board.AllOver());
  job.set_state(v1::FAILED);
  job.mutable_end()->set_class_(v1::END_NAN);
  job.mutable_end()->set_message("loss is not finite");
  board.Observe(job, absl::UnixEpoch());
  EXPECT_TRUE(board.AllOver());
  EXPECT_THAT(board.Lines(absl::UnixEpoch(), kWide)[0],
              HasSubstr("failed      nan: loss is not finite"));
}

TEST(ProgressTest, StagesStandInTheOrderTheyWereSeen) {
  ProgressBoard board;
  for (const char* stage : {"pretrain", "sft"}) {
    v1::Job job;
    job.set_id(stage);
    job.set_stage(stage);
    job.set_state(v1::BLOCKED);
    board.Observe(job, absl::UnixEpoch());
  }
  const auto lines = board.Lines(absl::UnixEpoch(), kWide);
  EXPECT_EQ(lines[0], "pretrain  blocked");
  EXPECT_EQ(lines[1], "sft       blocked");
}

}  // namespace
}  // namespace trainyard::cli
