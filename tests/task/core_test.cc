#include "task/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::task {
namespace {

using ::testing::HasSubstr;

// A core on a clock that the test turns.
class SessionCoreTest : public ::testing::Test {
 protected:
  std::vector<SessionAction> Step(const SessionEvent& event) {
    std::vector<SessionAction> actions = core_.Step(event, now_);
    for (const SessionAction& action : actions) {
      if (const auto* open = std::get_if<OpenStream>(&action)) stream_ = open->stream;
    }
    return actions;
  }
  std::vector<SessionAction> Hear(TaskHears message) {
    return Step(Received{stream_, std::move(message)});
  }
  // Turns the clock to the next wanted tick, as often as needed, up to `end`.
  std::vector<SessionAction> RunUntil(absl::Duration end) {
    std::vector<SessionAction> all;
    while (core_.NextTick() <= end) {
      now_ = std::max(now_, core_.NextTick());
      for (SessionAction& action : Step(Tick{})) all.push_back(std::move(action));
    }
    now_ = end;
    return all;
  }
  void Connect() {
    Step(Start{});
    Hear(Welcome{5, absl::Seconds(1)});
    ASSERT_TRUE(core_.connected());
  }

  template <typename T>
  static std::vector<T> Actions(const std::vector<SessionAction>& actions) {
    std::vector<T> found;
    for (const SessionAction& action : actions) {
      if (const auto* match = std::get_if<T>(&action)) found.push_back(*match);
    }
    return found;
  }
  template <typename T>
  static std::vector<T> Said(const std::vector<SessionAction>& actions) {
    std::vector<T> found;
    for (const Say& say : Actions<Say>(actions)) {
      if (const auto* match = std::get_if<T>(&say.message)) found.push_back(*match);
    }
    return found;
  }

  SessionCore core_{
      {.job_id = "job-a",
       .epoch = 3,
       .task_uid = 42,
       .secret = "s",
       .link = {.term = 5, .random_key = 1}}};
  absl::Duration now_ = absl::Seconds(1000);
  int64_t stream_ = 0;
};

TEST_F(SessionCoreTest, TheFirstMessageSaysWhoItIs) {
  const auto hello = Said<Hello>(Step(Start{}));
  ASSERT_EQ(hello.size(), 1);
  EXPECT_EQ(hello[0].job_id, "job-a");
  EXPECT_EQ(hello[0].epoch, 3);
  EXPECT_EQ(hello[0].task_uid, 42);
  EXPECT_EQ(hello[0].highest_term, 5);
  EXPECT_FALSE(hello[0].ready);
}

TEST_F(SessionCoreTest, ComesBackWithBackOffAndTellsWhatItAlreadyServes) {
  Connect();
  Step(LocalReady{{"host:1", "cpu"}});
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  EXPECT_FALSE(core_.connected());
  const auto hello = Said<Hello>(RunUntil(now_ + absl::Milliseconds(100)));
  ASSERT_EQ(hello.size(), 1);
  EXPECT_TRUE(hello[0].ready);
  EXPECT_EQ(hello[0].endpoint, "host:1");
}

TEST_F(SessionCoreTest, ReadinessBetweenHelloAndWelcomeIsNotLost) {
  Step(Start{});
  EXPECT_TRUE(Said<ReadyNotice>(Step(LocalReady{{"host:1", "cpu"}})).empty());
  EXPECT_EQ(Said<ReadyNotice>(Hear(Welcome{5, absl::Seconds(1)})).size(), 1);
}

TEST_F(SessionCoreTest, NothingCountsBeforeTheWelcome) {
  Step(Start{});
  EXPECT_TRUE(Hear(StopOrder{}).empty());
  EXPECT_FALSE(core_.stop().has_value());
}

TEST_F(SessionCoreTest, MessagesOfAnOldStreamAreDropped) {
  Connect();
  const int64_t old = stream_;
  Step(StreamClosed{old, absl::UnavailableError("gone")});
  RunUntil(now_ + absl::Seconds(1));
  Hear(Welcome{5, absl::Seconds(1)});
  Step(Received{old, StopOrder{}});
  EXPECT_FALSE(core_.stop().has_value());
  Step(StreamClosed{old, absl::AbortedError("late")});
  EXPECT_TRUE(core_.connected());
}

TEST_F(SessionCoreTest, ManyReportsLeaveOnceASecondAndTheLatestWins) {
  Connect();
  size_t progress = 0, metrics = 0;
  int64_t last_progress = 0, last_metrics = 0;
  const auto count = [&](const std::vector<SessionAction>& actions) {
    for (const Progress& said : Said<Progress>(actions)) ++progress, last_progress = said.step;
    for (const StepMetrics& said : Said<StepMetrics>(actions)) ++metrics, last_metrics = said.step;
  };
  const absl::Duration begin = now_;
  for (int64_t step = 1; step <= 1000; ++step) {
    count(RunUntil(begin + step * absl::Milliseconds(10)));
    count(Step(LocalProgress{{.phase = "train", .step = step}}));
    count(Step(LocalMetrics{{step, {{"loss", 1.0}}}}));
    count(Hear(HeartbeatAck{step, 5}));
  }
  count(RunUntil(begin + absl::Seconds(12)));
  EXPECT_LE(progress, 12);
  EXPECT_GE(progress, 10);
  EXPECT_LE(metrics, 12);
  EXPECT_GE(metrics, 10);
  EXPECT_EQ(last_progress, 1000);
  EXPECT_EQ(last_metrics, 1000);
}

TEST_F(SessionCoreTest, AChangeOfPhaseLeavesAtOnce) {
  Connect();
  Step(LocalProgress{{.phase = "train", .step = 1}});
  EXPECT_EQ(Said<Progress>(Step(LocalProgress{{.phase = "checkpoint", .step = 1}})).size(), 1);
  EXPECT_TRUE(Said<Progress>(Step(LocalProgress{{.phase = "checkpoint", .step = 2}})).empty());
}

TEST_F(SessionCoreTest, MetricsOfOneStepAreMergedAndAnOlderStepIsDropped) {
  Connect();
  Step(LocalMetrics{{1, {{"x", 0.0}}}});
  Step(LocalMetrics{{5, {{"loss", 1.0}}}});
  Step(LocalMetrics{{5, {{"kl", 2.0}}}});
  Step(LocalMetrics{{4, {{"loss", 9.0}}}});
  const auto said = Said<StepMetrics>(RunUntil(now_ + absl::Milliseconds(1000)));
  ASSERT_EQ(said.size(), 1);
  EXPECT_EQ(said[0].step, 5);
  EXPECT_EQ(said[0].values.size(), 2);
}

TEST_F(SessionCoreTest, ALaterStepDoesNotOvertakeValuesItDoesNotHave) {
  Connect();
  Step(LocalMetrics{{1, {{"loss", 0.0}}}});
  Step(LocalMetrics{{2, {{"loss", 1.0}, {"validation", 5.0}}}});
  Step(LocalMetrics{{3, {{"loss", 1.0}}}});
  Step(LocalMetrics{{4, {{"loss", 1.0}}}});
  const auto said = Said<StepMetrics>(RunUntil(now_ + absl::Milliseconds(1000)));
  ASSERT_EQ(said.size(), 2);
  EXPECT_EQ(said[0].step, 2);
  EXPECT_EQ(said[1].step, 4);
}

TEST_F(SessionCoreTest, SilenceEndsTheStream) {
  Connect();
  const auto actions = RunUntil(now_ + absl::Seconds(11));
  EXPECT_EQ(Actions<CloseStream>(actions).size(), 1);
  EXPECT_GE(Said<Heartbeat>(actions).size(), 9);
  EXPECT_GE(Actions<OpenStream>(actions).size(), 1);
}

TEST_F(SessionCoreTest, AMissingWelcomeEndsTheAttempt) {
  Step(Start{});
  const auto actions = RunUntil(now_ + absl::Seconds(11));
  EXPECT_EQ(Actions<CloseStream>(actions).size(), 1);
  EXPECT_EQ(Actions<OpenStream>(actions).size(), 1);
}

TEST_F(SessionCoreTest, ACoordinatorOfALowerTermIsLeft) {
  Connect();
  const auto actions = Hear(HeartbeatAck{1, 4});
  EXPECT_EQ(Actions<CloseStream>(actions).size(), 1);
  EXPECT_FALSE(core_.connected());
  RunUntil(now_ + absl::Seconds(1));
  Hear(Welcome{4, absl::Seconds(1)});
  EXPECT_FALSE(core_.connected());
  RunUntil(now_ + absl::Seconds(3));
  Hear(Welcome{6, absl::Seconds(1)});
  EXPECT_TRUE(core_.connected());
  EXPECT_EQ(core_.highest_term(), 6);
}

TEST_F(SessionCoreTest, TheFirstStopOrderStays) {
  Connect();
  EXPECT_EQ(Actions<StopChanged>(Hear(StopOrder{true, absl::Seconds(9), "scale"})).size(), 1);
  EXPECT_TRUE(Actions<StopChanged>(Step(LocalStop{{false, absl::Seconds(1), "TERM"}})).empty());
  EXPECT_EQ(core_.stop()->reason, "scale");
}

TEST_F(SessionCoreTest, AnEndedEpochAbortsTheProcess) {
  Connect();
  Step(LocalProgress{{.phase = "train", .step = 7}});
  const auto aborts = Actions<AbortProcess>(Step(StreamClosed{stream_, absl::AbortedError("3<4")}));
  ASSERT_EQ(aborts.size(), 1);
  EXPECT_EQ(aborts[0].reason.step, 7);
  EXPECT_THAT(aborts[0].reason.message, HasSubstr("epoch 3 of job job-a is over"));
  EXPECT_EQ(core_.NextTick(), absl::InfiniteDuration());
}

TEST_F(SessionCoreTest, AnAbsentCoordinatorDoesNotAbortIt) {
  Connect();
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  for (int hour = 0; hour < 3; ++hour) {
    const auto actions = RunUntil(now_ + absl::Hours(1));
    EXPECT_TRUE(Actions<AbortProcess>(actions).empty());
    EXPECT_GT(Actions<OpenStream>(actions).size(), 100);
  }
}

TEST_F(SessionCoreTest, AnEndReasonIsSaidAgainUntilItIsKept) {
  Connect();
  Step(LocalProgress{{.phase = "train", .step = 8}});
  Step(LocalProgress{{.phase = "train", .step = 9}});
  const auto first = Step(LocalEnd{{.end_class = EndClass::kNan, .message = "loss is nan"}});
  EXPECT_EQ(Said<EndReason>(first).size(), 1);
  EXPECT_EQ(Said<Progress>(first).back().step, 9) << "the last progress leaves before the end";
  Step(StreamClosed{stream_, absl::UnavailableError("gone")});
  RunUntil(now_ + absl::Seconds(1));
  EXPECT_EQ(Said<EndReason>(Hear(Welcome{5, absl::Seconds(1)})).size(), 1);
  const auto ended = Actions<SessionEnded>(Hear(EndAck{}));
  ASSERT_EQ(ended.size(), 1);
  EXPECT_TRUE(ended[0].status.ok());
  EXPECT_TRUE(core_.ended());
}

TEST_F(SessionCoreTest, AnEndThatNobodyWantsAnyMoreIsNotAnAbort) {
  Connect();
  Step(LocalEnd{{.end_class = EndClass::kDrained}});
  const auto actions = Step(StreamClosed{stream_, absl::AbortedError("epoch over")});
  EXPECT_TRUE(Actions<AbortProcess>(actions).empty());
  ASSERT_EQ(Actions<SessionEnded>(actions).size(), 1);
  EXPECT_EQ(Actions<SessionEnded>(actions)[0].status.code(), absl::StatusCode::kAborted);
}

TEST_F(SessionCoreTest, PeersAreALevel) {
  Connect();
  EXPECT_EQ(Actions<PeersChanged>(Hear(PeerSnapshot{7, {{.task_uid = 1}, {.task_uid = 2}}})).size(),
            1);
  Hear(PeerSnapshot{8, {{.task_uid = 2}}});
  EXPECT_EQ(core_.peers().revision, 8);
  ASSERT_EQ(core_.peers().peers.size(), 1);
}

}  // namespace
}  // namespace trainyard::task
