#include "coordinator/courier.h"

#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"

namespace trainyard::coordinator {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);

class CourierTest : public ::testing::Test {
 protected:
  struct Session : SessionSink {
    void Send(const Order& order) override { orders.push_back(order.index()); }
    void Close(const absl::Status&) override {}
    std::vector<size_t> orders;
  };

  // A job of one task, made durable.
  Decision Placed() {
    auto batch = std::make_shared<Batch>();
    JobRecord job;
    job.id = "a";
    job.state = JobState::kActive;
    job.attempt = 1;
    auto shape = std::make_shared<JobShape>();
    shape->roles.push_back({.name = "trainer"});
    job.shape = shape;
    AttemptRecord attempt;
    attempt.job_id = "a";
    attempt.number = 1;
    TaskRecord task;
    task.task_uid = 1;
    task.job_id = "a";
    task.attempt = 1;
    task.role = "trainer";
    batch->jobs = {job};
    batch->attempts = {attempt};
    batch->tasks = {task};
    Decision decision;
    decision.revision = 4;
    decision.batch = batch;
    return decision;
  }

  void Watch() {
    Watcher::Sink sink;
    sink.send = [this](v1::WatchJobsEvent event) {
      absl::MutexLock lock(&mutex_);
      seen_.push_back(std::move(event));
      return true;
    };
    sink.close = [](const absl::Status&) {};
    watcher_ = std::make_shared<Watcher>("", "", 100, std::move(sink));
    watcher_->Synced(0);
    watches_.Add(watcher_);
  }
  // Events after the mark of the snapshot, once there are so many.
  std::vector<v1::WatchJobsEvent> Seen(size_t count) {
    const auto enough = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return seen_.size() >= count + 1;
    };
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kLimit));
    return {seen_.begin() + 1, seen_.end()};
  }

  CallTable calls_;
  SessionTable sessions_;
  JobBoard board_{Snapshot()};
  WatchHub watches_;
  absl::Mutex mutex_;
  std::vector<v1::WatchJobsEvent> seen_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Watcher> watcher_;
  Courier courier_{{calls_, sessions_, board_, watches_}, 3};
};

TEST_F(CourierTest, WhoReadsAfterAnAnswerFindsWhatWasAnswered) {
  Decision decision = Placed();
  bool answered = false;
  const CallId call = calls_.Add([&](const Reply& reply) {
    answered = true;
    EXPECT_TRUE(reply.status.ok());
    EXPECT_TRUE(board_.Find("a").has_value());
    EXPECT_EQ(courier_.revision(), 4);
  });
  decision.replies = {{.call = call}};
  EXPECT_EQ(courier_.revision(), 3);
  courier_.Durable(decision);
  EXPECT_TRUE(answered);
}

TEST_F(CourierTest, OrdersOfADecisionLeaveInTheirOrderAndOnlyOnceItIsDurable) {
  const auto session = std::make_shared<Session>();
  const SessionId id = sessions_.Add(session);
  Decision decision = Placed();
  decision.orders = {{id, TaskWelcome{}}, {id, EndAck{}}};
  decision.immediate = {{id, HeartbeatAck{}}};
  courier_.Immediate(decision);
  EXPECT_EQ(session->orders, std::vector<size_t>({Order(HeartbeatAck{}).index()}));
  courier_.Durable(decision);
  EXPECT_EQ(session->orders,
            std::vector<size_t>({Order(HeartbeatAck{}).index(), Order(TaskWelcome{}).index(),
                                 Order(EndAck{}).index()}));
}

TEST_F(CourierTest, AWatcherSeesTheChangeAtItsRevision) {
  Watch();
  courier_.Durable(Placed());
  const auto events = Seen(1);
  EXPECT_EQ(events[0].job().id(), "a");
  EXPECT_EQ(events[0].revision(), 4);
}

TEST_F(CourierTest, LiveProgressReachesWatchersWithItsMetricsThoughNothingIsStored) {
  courier_.Durable(Placed());
  Watch();
  ASSERT_TRUE(board_.Observe("a", 1, {{"loss", 2.5}}));
  Decision decision;
  LiveProgress live;
  live.job_id = "a";
  live.task_uid = 1;
  live.progress.step = 7;
  decision.progress = {live};
  courier_.Immediate(decision);
  v1::WatchJobsEvent last;
  for (size_t count = 1; last.job().current().tasks_size() == 0 ||
                         last.job().current().tasks(0).progress().step() != 7; ++count) {
    const auto events = Seen(count);
    ASSERT_GE(events.size(), count);
    last = events.back();
  }
  EXPECT_EQ(last.metrics().at("loss"), 2.5);
  EXPECT_EQ(last.revision(), 4);
}

}  // namespace
}  // namespace trainyard::coordinator
