#include "worker/schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace trainyard::worker {
namespace {

Schedule Make(ScheduleKind kind) {
  Schedule schedule;
  schedule.kind = kind;
  schedule.peak = 1.0;
  schedule.total_steps = 11;
  schedule.warmup_steps = 2;
  schedule.final_ratio = 0.1;
  return schedule;
}

void ExpectRates(const Schedule& schedule, const std::vector<double>& rates) {
  for (size_t step = 0; step < rates.size(); ++step) {
    EXPECT_NEAR(schedule.LearningRate(static_cast<int64_t>(step)), rates[step], 1e-12)
        << "step " << step;
  }
}

TEST(Schedule, Constant) {
  ExpectRates(Make(ScheduleKind::kConstant), {0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
}

TEST(Schedule, LinearEndsAtItsFinalRateAndStaysThere) {
  ExpectRates(Make(ScheduleKind::kLinear), {0.5, 1, 1, 0.8875, 0.775, 0.6625, 0.55, 0.4375, 0.325,
                                            0.2125, 0.1, 0.1, 0.1});
}

TEST(Schedule, CosineIsHalfWayInTheMiddle) {
  const Schedule schedule = Make(ScheduleKind::kCosine);
  ExpectRates(schedule, {0.5, 1, 1});
  EXPECT_NEAR(schedule.LearningRate(6), 0.55, 1e-12);
  EXPECT_NEAR(schedule.LearningRate(4), 0.55 + 0.45 * 0.70710678118654752, 1e-12);
  EXPECT_NEAR(schedule.LearningRate(10), 0.1, 1e-12);
  EXPECT_NEAR(schedule.LearningRate(500), 0.1, 1e-12);
}

TEST(Schedule, WsdFallsOverItsLastShareOnly) {
  Schedule schedule = Make(ScheduleKind::kWsd);
  schedule.decay_ratio = 0.4;  // 4 of 11 steps: from step 7
  ExpectRates(schedule, {0.5, 1, 1, 1, 1, 1, 1, 1, 0.7, 0.4, 0.1, 0.1});
}

TEST(Schedule, ARunOfOneStepHasARate) {
  Schedule schedule = Make(ScheduleKind::kCosine);
  schedule.total_steps = 1;
  schedule.warmup_steps = 0;
  EXPECT_EQ(schedule.LearningRate(0), 1.0);
}

TEST(Schedule, ValidateNamesTheField) {
  Schedule schedule = Make(ScheduleKind::kCosine);
  schedule.warmup_steps = 12;
  EXPECT_EQ(schedule.Validate().message(), "optimizer.warmup_steps is 12, must be in 0..11");
  schedule = Make(ScheduleKind::kCosine);
  schedule.peak = -1;
  EXPECT_TRUE(absl::IsInvalidArgument(schedule.Validate()));
  schedule = Make(ScheduleKind::kCosine);
  schedule.final_ratio = 2;
  EXPECT_TRUE(absl::IsInvalidArgument(schedule.Validate()));
  EXPECT_TRUE(Make(ScheduleKind::kCosine).Validate().ok());
}

TEST(Schedule, AMisspeltNameIsAnsweredWithTheNearest) {
  EXPECT_EQ(*ScheduleKindFromName("wsd"), ScheduleKind::kWsd);
  const absl::Status wrong = ScheduleKindFromName("cosin").status();
  EXPECT_NE(wrong.message().find("did you mean cosine?"), std::string::npos) << wrong;
}

}  // namespace
}  // namespace trainyard::worker
