#include "cli/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

TEST(TextTest, ColumnsAreAlignedWithoutSpaceAtTheEnd) {
  EXPECT_EQ(Table({{"A", "LONG"}, {"value", ""}, {"b", "c"}}), "A      LONG\nvalue\nb      c\n");
}

TEST(TextTest, DurationsAreShort) {
  EXPECT_EQ(ShortDuration(absl::Seconds(48)), "48s");
  EXPECT_EQ(ShortDuration(absl::Seconds(192)), "3m12s");
  EXPECT_EQ(ShortDuration(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(ShortDuration(absl::Hours(99)), "4d03h");
  EXPECT_EQ(ShortDuration(absl::InfiniteDuration()), "-");
  EXPECT_EQ(ShortDuration(absl::Seconds(-1)), "-");
  EXPECT_EQ(Age(0, absl::Now()), "-");
}

TEST(TextTest, NumbersAreShort) {
  EXPECT_EQ(ShortBytes(1000), "1000 B");
  EXPECT_EQ(ShortBytes(int64_t{3} << 29), "1.5 GiB");
  EXPECT_EQ(ShortNumber(950), "950");
  EXPECT_EQ(ShortNumber(12345), "12.3k");
}

TEST(TextTest, AnEndSaysWhatWhereAndHow) {
  v1::EndReason end;
  EXPECT_EQ(EndText(end), "");
  end.set_class_(v1::END_SIGNAL);
  end.set_message("killed from outside");
  end.set_task("trainer/1 on a");
  end.set_step(12);
  end.set_signal(9);
  EXPECT_EQ(EndText(end), "signal: killed from outside (trainer/1 on a, step 12, signal 9)");
}

TEST(TextTest, AListShowsWhyAJobWaits) {
  v1::Job job;
  job.set_id("job-a");
  job.mutable_spec()->set_name("mine");
  job.mutable_spec()->mutable_fake();
  job.set_state(v1::QUEUED);
  job.set_reason("no node has 8 cpu");
  const std::string table = JobTable({job}, absl::Now());
  EXPECT_THAT(table, HasSubstr("job-a  mine  fake  queued  no node has 8 cpu"));
  EXPECT_THAT(DescribeJob(job, absl::Now()), HasSubstr("no node has 8 cpu"));
}

TEST(TextTest, EveryStateHasAName) {
  EXPECT_EQ(Name(v1::SUCCEEDED), "succeeded");
  EXPECT_EQ(Name(v1::TASK_RUNNING), "running");
  EXPECT_EQ(Name(v1::END_USER_ERROR), "user_error");
  EXPECT_TRUE(IsTerminal(v1::CANCELLED));
  EXPECT_FALSE(IsTerminal(v1::PAUSED));
}

}  // namespace
}  // namespace trainyard::cli
