#include "agent/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::agent {
namespace {

using ::testing::HasSubstr;

// A core on a clock that the test turns.
class AgentCoreTest : public ::testing::Test {
 protected:
  std::vector<AgentAction> Step(const AgentEvent& event) {
    std::vector<AgentAction> actions = core_.Step(event, now_);
    for (const AgentAction& action : actions) {
      if (const auto* open = std::get_if<OpenStream>(&action)) stream_ = open->stream;
    }
    return actions;
  }
  std::vector<AgentAction> Hear(AgentHears message) {
    return Step(Received{stream_, std::move(message)});
  }
  std::vector<AgentAction> RunUntil(absl::Duration end) {
    std::vector<AgentAction> all;
    while (core_.NextTick() <= end) {
      now_ = std::max(now_, core_.NextTick());
      for (AgentAction& action : Step(Tick{})) all.push_back(std::move(action));
    }
    now_ = end;
    return all;
  }
  // As RunUntil, with a coordinator that answers every heartbeat.
  std::vector<AgentAction> RunConnectedUntil(absl::Duration end) {
    std::vector<AgentAction> all;
    while (now_ < end) {
      for (AgentAction& action : RunUntil(std::min(end, now_ + absl::Seconds(1)))) {
        all.push_back(std::move(action));
      }
      Hear(HeartbeatAck{1, 5});
    }
    return all;
  }
  void Connect() {
    Step(Start{});
    Hear(Registered{.term = 5, .incarnation = 1, .orphan_timeout = absl::Minutes(30)});
    ASSERT_TRUE(core_.connected());
  }
  std::vector<AgentAction> Want(int64_t revision, std::vector<DesiredTask> tasks) {
    return Hear(DesiredSet{.term = 5, .revision = revision, .full = true, .tasks = tasks});
  }
  static DesiredTask Task(uint64_t uid, bool stop = false) {
    return {.task_uid = uid,
            .stop = stop,
            .grace = absl::Seconds(20),
            .binary = "trainyard-worker"};
  }
  void StartOne(uint64_t uid) {
    Want(++revision_, {Task(uid)});
    Step(TaskStarted{uid, 100});
  }

  template <typename T>
  static std::vector<T> Actions(const std::vector<AgentAction>& actions) {
    std::vector<T> found;
    for (const AgentAction& action : actions) {
      if (const auto* match = std::get_if<T>(&action)) found.push_back(*match);
    }
    return found;
  }
  template <typename T>
  static std::vector<T> Said(const std::vector<AgentAction>& actions) {
    std::vector<T> found;
    for (const Say& say : Actions<Say>(actions)) {
      if (const auto* match = std::get_if<T>(&say.message)) found.push_back(*match);
    }
    return found;
  }

  AgentCore core_{{.offer = {.node = "node-a", .process_nonce = 9}, .link = {.random_key = 1}}};
  absl::Duration now_ = absl::Seconds(1000);
  int64_t stream_ = 0;
  int64_t revision_ = 0;
};

TEST_F(AgentCoreTest, RegistersFirst) {
  const auto said = Said<Register>(Step(Start{}));
  ASSERT_EQ(said.size(), 1);
  EXPECT_EQ(said[0].offer.node, "node-a");
  EXPECT_EQ(said[0].offer.process_nonce, 9);
}

TEST_F(AgentCoreTest, ConvergesToTheDesiredSet) {
  Connect();
  const auto actions = Want(1, {Task(7), Task(8)});
  EXPECT_EQ(Actions<StartTask>(actions).size(), 2);
  ASSERT_EQ(Said<ActualSet>(actions).size(), 1);
  EXPECT_EQ(Said<ActualSet>(actions)[0].desired_revision, 1);
  EXPECT_EQ(Said<ActualSet>(actions)[0].tasks.size(), 2);
}

TEST_F(AgentCoreTest, AStartOfAKnownTaskIsANoOp) {
  Connect();
  StartOne(7);
  EXPECT_TRUE(Actions<StartTask>(Want(2, {Task(7)})).empty());
}

TEST_F(AgentCoreTest, AStartOfAFinishedTaskIsANoOp) {
  Connect();
  StartOne(7);
  Step(TaskEnded{7, {}});
  EXPECT_TRUE(Actions<StartTask>(Want(2, {Task(7)})).empty());
  EXPECT_EQ(Actions<ForgetTask>(Hear(ExitAcks{{7}})).size(), 1);
  EXPECT_TRUE(Actions<StartTask>(Want(3, {Task(7)})).empty());
}

TEST_F(AgentCoreTest, AnExitIsSentAgainUntilItIsAcknowledged) {
  Connect();
  StartOne(7);
  EXPECT_EQ(Said<ExitReport>(Step(TaskEnded{7, {.exit_code = 3}})).size(), 1);
  EXPECT_EQ(Said<ExitReport>(RunConnectedUntil(now_ + absl::Milliseconds(6100))).size(), 3);
  Hear(ExitAcks{{7}});
  EXPECT_TRUE(Said<ExitReport>(RunConnectedUntil(now_ + absl::Seconds(10))).empty());
  EXPECT_TRUE(core_.actual().tasks.empty());
}

TEST_F(AgentCoreTest, AnExitWhileCutOffIsToldAfterTheNextRegistration) {
  Connect();
  StartOne(7);
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  EXPECT_TRUE(Said<ExitReport>(Step(TaskEnded{7, {.exit_code = 3}})).empty());
  const auto said = Said<Register>(RunUntil(now_ + absl::Milliseconds(100)));
  ASSERT_EQ(said.size(), 1);
  ASSERT_EQ(said[0].actual.tasks.size(), 1);
  EXPECT_EQ(said[0].actual.tasks[0].phase, TaskPhase::kExited);
  const auto exits = Said<ExitReport>(Hear(Registered{.term = 5}));
  ASSERT_EQ(exits.size(), 1);
  EXPECT_EQ(exits[0].end.exit_code, 3);
}

TEST_F(AgentCoreTest, StopIsTermThenKillAfterItsGrace) {
  Connect();
  StartOne(7);
  const auto term = Actions<SignalTask>(Want(2, {Task(7, true)}));
  ASSERT_EQ(term.size(), 1);
  EXPECT_FALSE(term[0].kill);
  EXPECT_TRUE(Actions<SignalTask>(Want(3, {Task(7, true)})).empty()) << "TERM is sent once";
  EXPECT_TRUE(Actions<SignalTask>(RunConnectedUntil(now_ + absl::Seconds(19))).empty());
  const auto kill = Actions<SignalTask>(RunConnectedUntil(now_ + absl::Seconds(2)));
  ASSERT_EQ(kill.size(), 1);
  EXPECT_TRUE(kill[0].kill);
}

TEST_F(AgentCoreTest, AShorterGraceCountsALongerDoesNot) {
  Connect();
  StartOne(7);
  Want(2, {Task(7, true)});
  DesiredTask sooner = Task(7, true);
  sooner.grace = absl::Seconds(1);
  Want(3, {sooner});
  Want(4, {Task(7, true)});
  EXPECT_EQ(Actions<SignalTask>(RunConnectedUntil(now_ + absl::Seconds(2))).size(), 1);
}

TEST_F(AgentCoreTest, WhatIsNotInTheFullSetIsStopped) {
  Connect();
  StartOne(7);
  EXPECT_EQ(Actions<SignalTask>(Want(2, {})).size(), 1);
}

TEST_F(AgentCoreTest, ATaskToStopThatNeverRanIsReportedAsExited) {
  Connect();
  const auto actions = Want(1, {Task(7, true)});
  EXPECT_TRUE(Actions<StartTask>(actions).empty());
  ASSERT_EQ(Said<ExitReport>(actions).size(), 1);
  EXPECT_EQ(Said<ExitReport>(actions)[0].task_uid, 7);
}

TEST_F(AgentCoreTest, DeltasAddAndRemove) {
  Connect();
  StartOne(7);
  const auto actions = Hear(DesiredSet{
      .term = 5, .revision = 2, .base_revision = 1, .tasks = {Task(8)}, .removed = {7}});
  ASSERT_EQ(Actions<StartTask>(actions).size(), 1);
  EXPECT_EQ(Actions<StartTask>(actions)[0].task.task_uid, 8);
  ASSERT_EQ(Actions<SignalTask>(actions).size(), 1);
  EXPECT_EQ(Actions<SignalTask>(actions)[0].task_uid, 7);
}

TEST_F(AgentCoreTest, AHoleInTheDeltasAsksForTheFullSet) {
  Connect();
  StartOne(7);
  const auto actions =
      Hear(DesiredSet{.term = 5, .revision = 9, .base_revision = 8, .removed = {7}});
  EXPECT_TRUE(Actions<SignalTask>(actions).empty());
  EXPECT_EQ(Actions<CloseStream>(actions).size(), 1);
  EXPECT_EQ(Said<Register>(RunUntil(now_ + absl::Milliseconds(100))).size(), 1);
}

TEST_F(AgentCoreTest, ACoordinatorOfALowerTermIsNotObeyed) {
  Connect();
  StartOne(7);
  const auto actions = Hear(DesiredSet{.term = 4, .revision = 2, .full = true});
  EXPECT_TRUE(Actions<SignalTask>(actions).empty());
  EXPECT_EQ(Actions<CloseStream>(actions).size(), 1);
}

TEST_F(AgentCoreTest, AStaleAgentRegistersAgain) {
  Connect();
  StartOne(7);
  Step(StreamClosed{stream_, absl::AbortedError("incarnation is over")});
  const auto actions = RunUntil(now_ + absl::Milliseconds(100));
  EXPECT_EQ(Said<Register>(actions).size(), 1);
  EXPECT_TRUE(Actions<SignalTask>(actions).empty());
}

TEST_F(AgentCoreTest, ACutOffAgentKeepsItsTasksForTheOrphanTimeout) {
  Connect();
  StartOne(7);
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  EXPECT_TRUE(Actions<SignalTask>(RunUntil(now_ + absl::Minutes(29))).empty());
  const auto signals = Actions<SignalTask>(RunUntil(now_ + absl::Minutes(2)));
  ASSERT_EQ(signals.size(), 2);
  EXPECT_FALSE(signals[0].kill);
  EXPECT_THAT(signals[0].reason, HasSubstr("no coordinator for 30m"));
  EXPECT_TRUE(signals[1].kill);
}

TEST_F(AgentCoreTest, ARegistrationInTimeSavesTheTasks) {
  Connect();
  StartOne(7);
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  RunUntil(now_ + absl::Minutes(29));
  Hear(Registered{.term = 6, .orphan_timeout = absl::Minutes(30)});
  ASSERT_TRUE(core_.connected());
  Hear(DesiredSet{.term = 6, .revision = 1, .full = true, .tasks = {Task(7)}});
  EXPECT_TRUE(Actions<SignalTask>(RunConnectedUntil(now_ + absl::Seconds(1))).empty());
}

TEST_F(AgentCoreTest, SilenceEndsTheStream) {
  Connect();
  const auto actions = RunUntil(now_ + absl::Seconds(11));
  EXPECT_EQ(Actions<CloseStream>(actions).size(), 1);
  EXPECT_GE(Said<Heartbeat>(actions).size(), 9);
}

TEST_F(AgentCoreTest, APreflightRunsOnceAndItsResultSurvivesACut) {
  Connect();
  EXPECT_EQ(Actions<RunPreflight>(Hear(PreflightOrder{"job-a", 2, ""})).size(), 1);
  EXPECT_TRUE(Actions<RunPreflight>(Hear(PreflightOrder{"job-a", 2, ""})).empty());
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  Step(PreflightDone{{.job_id = "job-a", .epoch = 2, .ok = true}});
  RunUntil(now_ + absl::Milliseconds(100));
  EXPECT_EQ(Said<PreflightReport>(Hear(Registered{.term = 5})).size(), 1);
  EXPECT_EQ(Actions<RunPreflight>(Hear(PreflightOrder{"job-a", 2, ""})).size(), 1)
      << "asked anew, it runs anew";
}

TEST_F(AgentCoreTest, ALeavingNodeLetsTheCoordinatorStopTheTasksFirst) {
  Connect();
  StartOne(7);
  const auto actions = Step(Leave{absl::Seconds(60), "SIGTERM"});
  EXPECT_EQ(Said<NodeLeaving>(actions).size(), 1);
  EXPECT_TRUE(Actions<SignalTask>(actions).empty());
  EXPECT_TRUE(Actions<SignalTask>(RunConnectedUntil(now_ + absl::Seconds(29))).empty());
  EXPECT_EQ(Actions<SignalTask>(RunConnectedUntil(now_ + absl::Seconds(2))).size(), 1);
  Step(TaskEnded{7, {}});
  EXPECT_EQ(Actions<ExitAgent>(Hear(ExitAcks{{7}})).size(), 1);
}

TEST_F(AgentCoreTest, ALeavingNodeStartsNothing) {
  Connect();
  StartOne(7);
  Step(Leave{absl::Seconds(60), "SIGTERM"});
  const auto actions = Want(2, {Task(7), Task(8)});
  EXPECT_TRUE(Actions<StartTask>(actions).empty());
  ASSERT_EQ(Said<ExitReport>(actions).size(), 1);
  EXPECT_EQ(Said<ExitReport>(actions)[0].end.end_class, EndClass::kDrained);
}

TEST_F(AgentCoreTest, WithoutTasksItLeavesAtOnce) {
  Connect();
  EXPECT_EQ(Actions<ExitAgent>(Step(Leave{absl::Seconds(60), "SIGTERM"})).size(), 1);
}

TEST_F(AgentCoreTest, WithoutACoordinatorALeavingNodeStopsItsTasksItself) {
  Connect();
  StartOne(7);
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  EXPECT_EQ(Actions<SignalTask>(Step(Leave{absl::Seconds(60), "SIGTERM"})).size(), 1);
  EXPECT_EQ(Actions<ExitAgent>(Step(TaskEnded{7, {}})).size(), 1);
}

TEST_F(AgentCoreTest, ATaskThatIgnoresTheLeavingIsKilledByTheDeadline) {
  Connect();
  StartOne(7);
  Step(Leave{absl::Seconds(60), "SIGTERM"});
  const auto signals = Actions<SignalTask>(RunConnectedUntil(now_ + absl::Seconds(61)));
  ASSERT_EQ(signals.size(), 2);
  EXPECT_TRUE(signals[1].kill);
  EXPECT_EQ(Actions<ExitAgent>(Step(TaskEnded{7, {}})).size(), 1);
  EXPECT_EQ(core_.NextTick(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace trainyard::agent
