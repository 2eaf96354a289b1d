#include "ppo/task_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "ppo/reward_client.h"
#include "ppo/work_queue.h"
#include "tests/ppo/fakes.h"
#include "tests/support/process.h"

namespace trainyard::ppo {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

task::Peer PeerOf(uint64_t uid, const std::string& role = "rollout") {
  return {.task_uid = uid, .role = role, .index = static_cast<int>(uid),
          .endpoint = absl::StrCat("host:", uid), .ready = true};
}

task::PeerSnapshot Snapshot(std::vector<task::Peer> peers) {
  return {.revision = 1, .peers = std::move(peers)};
}

// Threads by the endpoint they work for.
class Roll {
 public:
  void Enter(const std::string& endpoint) {
    absl::MutexLock lock(&mutex_);
    ++threads_[endpoint];
    ++entered_[endpoint];
  }
  void Leave(const std::string& endpoint) {
    absl::MutexLock lock(&mutex_);
    --threads_[endpoint];
  }
  bool WaitFor(const std::string& endpoint, int threads) {
    absl::MutexLock lock(&mutex_);
    const auto there = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      const auto found = threads_.find(endpoint);
      return (found == threads_.end() ? 0 : found->second) == threads;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&there), kPatience);
  }
  int entered(const std::string& endpoint) {
    absl::MutexLock lock(&mutex_);
    return entered_[endpoint];
  }
  // A body that stays until it is not wanted any more.
  TaskThreads::Body Stay() {
    return [this](const task::Peer& peer, CancelScope* scope) {
      Enter(peer.endpoint);
      scope->WaitRetired(kPatience);
      Leave(peer.endpoint);
      return absl::OkStatus();
    };
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, int> threads_ ABSL_GUARDED_BY(mutex_), entered_ ABSL_GUARDED_BY(mutex_);
};

TEST(TaskThreads, EachTaskOfTheRoleHasItsThreads) {
  Roll roll;
  TaskThreads threads({.role = "rollout", .threads_per_task = 3}, roll.Stay());
  task::Peer starting = PeerOf(3);
  starting.ready = false;
  const auto peers = Snapshot({PeerOf(1), PeerOf(2), starting, PeerOf(4, "reward")});
  EXPECT_EQ(threads.Reconcile(peers), 2);
  EXPECT_EQ(threads.Reconcile(peers), 2);
  EXPECT_TRUE(roll.WaitFor("host:1", 3));
  EXPECT_TRUE(roll.WaitFor("host:2", 3));
  EXPECT_EQ(roll.entered("host:3"), 0) << "it is not ready";
  EXPECT_EQ(roll.entered("host:4"), 0) << "it has another role";
}

TEST(TaskThreads, ATaskThatIsNotAdmittedGetsNone) {
  Roll roll;
  TaskThreads threads({.role = "rollout", .threads_per_task = 1,
                       .admit = [](const task::Peer& peer) { return peer.task_uid != 1; }},
                      roll.Stay());
  EXPECT_EQ(threads.Reconcile(Snapshot({PeerOf(1), PeerOf(2)})), 1);
  EXPECT_TRUE(roll.WaitFor("host:2", 1));
  EXPECT_EQ(roll.entered("host:1"), 0);
}

TEST(TaskThreads, AProcessAtAnotherEndpointIsAnotherOne) {
  Roll roll;
  TaskThreads threads({.role = "rollout"}, roll.Stay());
  threads.Reconcile(Snapshot({PeerOf(1)}));
  ASSERT_TRUE(roll.WaitFor("host:1", 1));
  task::Peer moved = PeerOf(1);
  moved.endpoint = "host:9";
  EXPECT_TRUE(trainyard::testing::WaitUntil(kPatience, [&] {
    threads.Reconcile(Snapshot({moved}));
    return roll.entered("host:9") == 1;
  }));
  EXPECT_TRUE(roll.WaitFor("host:1", 0));
  EXPECT_EQ(roll.entered("host:1"), 1);
}

TEST(TaskThreads, WhatALostTaskHadInHandGoesToAnother) {
  WorkQueue<int> work;
  work.Add({1, 2, 3, 4});
  absl::Mutex mutex;
  std::map<uint64_t, std::vector<int>> done;
  bool holding = false;
  TaskThreads threads({.role = "rollout"}, [&](const task::Peer& peer, CancelScope* scope) {
    std::vector<int> taken = work.Take(1, 4, absl::Milliseconds(10));
    if (taken.empty()) return absl::OkStatus();
    if (peer.task_uid == 1) {  // never comes to an end
      {
        absl::MutexLock lock(&mutex);
        holding = true;
      }
      scope->WaitRetired(kPatience);
      work.Return(std::move(taken));
      return absl::CancelledError("the task is gone");
    }
    absl::MutexLock lock(&mutex);
    done[peer.task_uid] = taken;
    return absl::OkStatus();
  });
  threads.Reconcile(Snapshot({PeerOf(1)}));
  {
    absl::MutexLock lock(&mutex);
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&holding), kPatience));
  }
  EXPECT_EQ(threads.Reconcile(Snapshot({PeerOf(2)})), 1);
  absl::MutexLock lock(&mutex);
  const auto all = [&] { return done[2].size() == 4; };
  EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&all), kPatience));
  EXPECT_EQ(done[2], (std::vector<int>{1, 2, 3, 4}));
}

TEST(TaskThreads, AnErrorIsNoEnd) {
  std::atomic<int> calls{0};
  TaskThreads threads({.role = "rollout"}, [&](const task::Peer&, CancelScope* scope) {
    if (++calls < 3) return absl::UnavailableError("not yet");
    scope->WaitRetired(kPatience);
    return absl::OkStatus();
  });
  threads.Reconcile(Snapshot({PeerOf(1)}));
  EXPECT_TRUE(trainyard::testing::WaitUntil(kPatience, [&] { return calls == 3; }));
}

TEST(TaskThreads, TheEndCancelsAndJoins) {
  Roll roll;
  {
    TaskThreads threads({.role = "rollout", .threads_per_task = 2}, roll.Stay());
    threads.Reconcile(Snapshot({PeerOf(1)}));
    ASSERT_TRUE(roll.WaitFor("host:1", 2));
  }
  EXPECT_TRUE(roll.WaitFor("host:1", 0));
}

// A call to a task that only ends when the test says so.
class CallInProgress : public ::testing::Test {
 protected:
  CallInProgress() {
    reward_.fail = [this](int64_t, int) {
      asked_.Notify();
      answer_.WaitForNotificationWithTimeout(kPatience);
      return v1::SCORE_OK;
    };
    task_ = std::make_unique<FakeTask>("reward", 0, std::vector<grpc::Service*>{&reward_});
    threads_ = std::make_unique<TaskThreads>(
        TaskThreadsOptions{.role = "reward"}, [this](const task::Peer& peer, CancelScope* scope) {
          RewardClient client(peer.endpoint, TestFence());
          std::vector<Answer> answers(1);
          answers[0].trajectory.token_ids = {65, 66};
          answers[0].trajectory.spans = {{0, 1, rl::SpanSource::kPrompt, false, 0},
                                         {1, 2, rl::SpanSource::kModel, true, 0}};
          status_ = client.Score(answers, "", kPatience, scope);
          ended_.Notify();
          scope->WaitRetired(kPatience);
          return absl::OkStatus();
        });
    threads_->Reconcile(Snapshot({task_->peer()}));
    EXPECT_TRUE(asked_.WaitForNotificationWithTimeout(kPatience));
  }
  ~CallInProgress() override {
    if (!answer_.HasBeenNotified()) answer_.Notify();
    threads_.reset();
  }
  absl::Status Ended() {
    EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(kPatience));
    return status_;
  }

  absl::Notification asked_, answer_, ended_;
  absl::Status status_;
  FakeReward reward_;
  std::unique_ptr<FakeTask> task_;
  std::unique_ptr<TaskThreads> threads_;
};

TEST_F(CallInProgress, IsCancelledWhenItsTaskIsGone) {
  threads_->Reconcile(Snapshot({}));
  const absl::Status status = Ended();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST_F(CallInProgress, EndsByItselfWhenItsTaskDrains) {
  task::Peer draining = task_->peer();
  draining.draining = true;
  EXPECT_EQ(threads_->Reconcile(Snapshot({draining})), 0);
  answer_.Notify();
  const absl::Status status = Ended();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace trainyard::ppo
