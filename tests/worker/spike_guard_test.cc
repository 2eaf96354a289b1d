#include "worker/spike_guard.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trainyard::worker {
namespace {

SpikeGuardOptions Options() {
  SpikeGuardOptions options;
  options.z_limit = 6;
  options.least_history = 20;
  options.most_consecutive = 3;
  return options;
}

// A quiet run with a little noise.
double Loss(int step) { return 3 + 0.1 * std::sin(step * 1.7); }

void Feed(SpikeGuard& guard, int steps) {
  for (int step = 0; step < steps; ++step) {
    EXPECT_FALSE(guard.Judge(Loss(step), 1 + 0.05 * std::cos(step * 2.3)).skip) << step;
  }
}

TEST(SpikeGuard, MomentsOfTheFirstObservationsAreThePlainOnes) {
  RunningMoments moments;
  for (double value : {1.0, 2.0, 3.0, 6.0}) moments.Add(value, 0.01);
  EXPECT_DOUBLE_EQ(moments.mean, 3.0);
  EXPECT_DOUBLE_EQ(moments.variance, 3.5);
  EXPECT_DOUBLE_EQ(moments.ZScore(3.0 + std::sqrt(3.5)), 1.0);
}

TEST(SpikeGuard, SkipsALossOrANormFarAboveTheRun) {
  SpikeGuard guard(Options());
  Feed(guard, 100);
  const SpikeGuard::Verdict loss = guard.Judge(9, 1);
  EXPECT_TRUE(loss.skip);
  EXPECT_NE(loss.reason.find("loss 9.0"), std::string::npos) << loss.reason;
  EXPECT_TRUE(guard.Judge(3, 50).skip);
  EXPECT_EQ(guard.skipped(), 2);
  EXPECT_FALSE(guard.Judge(3, 1).skip);
}

TEST(SpikeGuard, JudgesNothingBeforeItHasSeenEnough) {
  SpikeGuard guard(Options());
  Feed(guard, 10);
  EXPECT_FALSE(guard.Judge(9, 1).skip);
}

TEST(SpikeGuard, ANewLevelIsAcceptedInTheEnd) {
  SpikeGuard guard(Options());
  Feed(guard, 100);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(guard.Judge(9, 1).skip);
  EXPECT_FALSE(guard.Judge(9, 1).skip);
}

TEST(SpikeGuard, OffItSkipsNothing) {
  SpikeGuard guard((SpikeGuardOptions()));
  Feed(guard, 100);
  EXPECT_FALSE(guard.Judge(1e9, 1e9).skip);
}

TEST(SpikeGuard, DecidesTheSameAfterARestore) {
  SpikeGuard whole(Options());
  SpikeGuard first(Options());
  Feed(whole, 60);
  Feed(first, 60);
  EXPECT_TRUE(first.Judge(9, 1).skip);
  EXPECT_TRUE(whole.Judge(9, 1).skip);
  SpikeGuard second(Options());
  ASSERT_TRUE(second.Restore(Json::parse(first.ToJson().dump())).ok());
  for (double loss : {3.0, 3.3, 3.9, 9.0, 9.0, 9.0}) {
    EXPECT_EQ(whole.Judge(loss, 1).skip, second.Judge(loss, 1).skip);
  }
  EXPECT_EQ(whole.ToJson(), second.ToJson());
  EXPECT_FALSE(second.Restore(Json::object()).ok());
}

}  // namespace
}  // namespace trainyard::worker
