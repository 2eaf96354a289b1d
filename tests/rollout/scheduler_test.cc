#include "rollout/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "rollout/block_pool.h"

namespace trainyard::rollout {

bool operator==(const PlannedRun& a, const PlannedRun& b) {
  return a.sequence == b.sequence && a.tokens == b.tokens;
}

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SequenceLengths Waiting(int tokens, int width = 1) {
  SequenceLengths s;
  s.tokens = tokens;
  s.width = width;
  return s;
}

SequenceLengths Running(int tokens, int computed) {
  SequenceLengths s;
  s.running = true;
  s.tokens = tokens;
  s.computed = computed;
  s.held_blocks = s.exclusive_blocks = BlocksFor(computed);
  return s;
}

Plan PlanOf(const std::vector<SequenceLengths>& sequences, int free_blocks,
            const ScheduleLimits& limits) {
  return Schedule({sequences, free_blocks, absl::ZeroDuration()}, limits);
}

TEST(Scheduler, NextTokensComeBeforePromptsAndLongPromptsAreCut) {
  const Plan plan = PlanOf({Running(100, 20), Running(31, 30), Waiting(40)}, 100, {32, 8});
  EXPECT_THAT(plan.runs, ElementsAre(PlannedRun{0, 31}, PlannedRun{1, 1}));
  EXPECT_EQ(plan.wait_reason, WaitReason::kStepTokens);
}

TEST(Scheduler, WaitingSequencesAreAdmittedInOrderAndNoneOvertakes) {
  const Plan plan = PlanOf({Waiting(16), Waiting(400), Waiting(16)}, 10, {512, 8});
  EXPECT_THAT(plan.admitted, ElementsAre(0));
  EXPECT_EQ(plan.wait_reason, WaitReason::kBlocks);
}

TEST(Scheduler, AGroupIsAdmittedWithRoomForAllItsSamplesOrNot) {
  EXPECT_THAT(PlanOf({Waiting(32, 6)}, 7, {512, 8}).admitted, IsEmpty());
  EXPECT_THAT(PlanOf({Waiting(32, 6)}, 8, {512, 8}).admitted, ElementsAre(0));
  const Plan plan = PlanOf({Waiting(32, 9)}, 100, {512, 8});
  EXPECT_THAT(plan.admitted, IsEmpty());
  EXPECT_EQ(plan.wait_reason, WaitReason::kRunningSequences);
}

TEST(Scheduler, TheYoungestGivesItsBlocksToTheOldest) {
  const Plan plan = PlanOf({Running(17, 16), Running(20, 19), Running(33, 32)}, 0, {512, 8});
  EXPECT_THAT(plan.preempted, ElementsAre(2));
  EXPECT_THAT(plan.runs, ElementsAre(PlannedRun{0, 1}, PlannedRun{1, 1}));
}

TEST(Scheduler, NobodyIsAdmittedInAStepThatPreempts) {
  const Plan plan =
      PlanOf({Running(17, 16), Running(65, 64), Waiting(4)}, 0, {512, 8});
  EXPECT_THAT(plan.preempted, ElementsAre(1));
  EXPECT_THAT(plan.admitted, IsEmpty());
  EXPECT_EQ(plan.wait_reason, WaitReason::kPreemption);
}

// Beams: three waiting ones need three times two blocks.
TEST(Scheduler, BeamsAreAdmittedTogetherOrNot) {
  std::vector<SequenceLengths> beams = {Waiting(10), Waiting(10), Waiting(10), Waiting(3)};
  beams[1].joined = beams[2].joined = true;
  EXPECT_THAT(PlanOf(beams, 5, {512, 8}).admitted, IsEmpty());
  EXPECT_THAT(PlanOf(beams, 6, {512, 8}).admitted, ElementsAre(0, 1, 2));
  EXPECT_THAT(PlanOf(beams, 9, {512, 2}).wait_reason, WaitReason::kRunningSequences);
  const Plan cut = PlanOf(beams, 9, {15, 8});
  EXPECT_THAT(cut.admitted, ElementsAre(0, 1, 2));
  EXPECT_THAT(cut.runs, ElementsAre(PlannedRun{0, 10}, PlannedRun{1, 5}));
}

TEST(Scheduler, BeamsArePreemptedTogether) {
  std::vector<SequenceLengths> sequences = {Running(17, 16), Running(20, 19), Running(20, 19)};
  sequences[2].joined = true;
  Plan plan = PlanOf(sequences, 0, {512, 8});
  EXPECT_THAT(plan.preempted, ElementsAre(1, 2));
  EXPECT_THAT(plan.runs, ElementsAre(PlannedRun{0, 1}));
  // The one that finds no block is the second of the youngest group: it gives up the first's too.
  sequences = {Running(20, 19), Running(18, 17), Running(17, 16)};
  sequences[2].joined = true;
  plan = PlanOf(sequences, 0, {512, 8});
  EXPECT_THAT(plan.preempted, ElementsAre(1, 2));
  EXPECT_THAT(plan.runs, ElementsAre(PlannedRun{0, 1}));
}

TEST(Scheduler, ABeamThatWaitsForTheOthersComputesNothing) {
  std::vector<SequenceLengths> beams = {Running(20, 20), Running(20, 19)};
  beams[1].joined = true;
  EXPECT_THAT(PlanOf(beams, 4, {512, 8}).runs, ElementsAre(PlannedRun{1, 1}));
}

TEST(Scheduler, AWriteToASharedBlockCostsABlock) {
  SequenceLengths shared = Running(21, 20);
  shared.exclusive_blocks = 0;
  shared.shared_tail = true;
  EXPECT_THAT(PlanOf({shared}, 1, {512, 8}).runs, ElementsAre(PlannedRun{0, 1}));
  EXPECT_THAT(PlanOf({shared}, 0, {512, 8}).preempted, ElementsAre(0));
}

TEST(Scheduler, WhatIsPastItsDeadlineEndsAndItsBlocksServeOthers) {
  std::vector<SequenceLengths> sequences = {Running(40, 39), Running(17, 16), Waiting(5)};
  sequences[0].deadline = absl::Seconds(3);
  sequences[2].deadline = absl::Seconds(2);
  const Plan plan = Schedule({sequences, 0, absl::Seconds(3)}, {512, 8});
  EXPECT_THAT(plan.expired, ElementsAre(0, 2));
  EXPECT_THAT(plan.preempted, IsEmpty());
  EXPECT_THAT(plan.runs, ElementsAre(PlannedRun{1, 1}));
}

// Whatever arrives, plans keep the limits and everything ends: sequences of random lengths in a
// pool barely large enough for the longest.
TEST(Scheduler, EveryPlanKeepsItsLimitsAndEverySequenceEnds) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const CounterRandom random(DeriveKey(seed, "scheduler test"));
    const ScheduleLimits limits = {static_cast<int>(1 + random.Below(64, 0)),
                                   static_cast<int>(1 + random.Below(6, 1))};
    const int total = 9 + static_cast<int>(random.Below(20, 2));
    struct Live {
      SequenceLengths lengths;
      int end;
    };
    std::vector<Live> live;
    for (int i = 0; i < 12; ++i) {
      const int prompt = 1 + static_cast<int>(random.Below(60, 10 + i));
      const int end = prompt + 1 + static_cast<int>(random.Below(60, 100 + i));
      live.push_back({Waiting(prompt), end});
    }
    int free = total, steps = 0;
    while (!live.empty()) {
      ASSERT_LT(++steps, 20000) << "seed " << seed;
      std::vector<SequenceLengths> input;
      for (const Live& l : live) input.push_back(l.lengths);
      const Plan plan = PlanOf(input, free, limits);
      for (int i : plan.preempted) {
        free += live[i].lengths.held_blocks;
        live[i].lengths = Waiting(live[i].lengths.tokens);
      }
      for (int i : plan.admitted) live[i].lengths.running = true;
      int tokens = 0, running = 0;
      for (const PlannedRun& run : plan.runs) {
        SequenceLengths& s = live[run.sequence].lengths;
        ASSERT_TRUE(s.running);
        ASSERT_GE(run.tokens, 1);
        tokens += run.tokens;
        s.computed += run.tokens;
        free -= BlocksFor(s.computed) - s.held_blocks;
        s.held_blocks = s.exclusive_blocks = BlocksFor(s.computed);
        if (s.computed == s.tokens) ++s.tokens;
      }
      for (const Live& l : live) running += l.lengths.running;
      ASSERT_GE(free, 0);
      ASSERT_LE(tokens, limits.max_step_tokens);
      ASSERT_LE(running, limits.max_running_sequences);
      ASSERT_GT(tokens + plan.preempted.size(), 0u);
      for (size_t i = live.size(); i-- > 0;) {
        if (live[i].lengths.tokens < live[i].end) continue;
        free += live[i].lengths.held_blocks;
        live.erase(live.begin() + i);
      }
    }
    ASSERT_EQ(free, total);
  }
}

}  // namespace
}  // namespace trainyard::rollout
