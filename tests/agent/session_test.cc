// The agent at work against a coordinator of tests: real gRPC, real processes.

#include "agent/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "absl/synchronization/mutex.h"
#include "base/status.h"
#include "rpc/server.h"
#include "tests/support/process.h"
#include "trainyard/v1/agent.grpc.pb.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::agent {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);

// Registers whoever comes, keeps what it hears, and says what the test wants said.
class FakeCoordinator final : public v1::AgentService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::CoordinatorToAgent, v1::AgentMessage>;

  grpc::Status Session(grpc::ServerContext*, Stream* stream) override {
    v1::AgentMessage message;
    while (stream->Read(&message)) {
      absl::MutexLock lock(&mutex_);
      heard_.push_back(message);
      if (!message.has_register_()) continue;
      stream_ = stream;
      v1::CoordinatorToAgent answer;
      answer.mutable_registered()->set_term(1);
      answer.mutable_registered()->set_heartbeat_seconds(0.05);
      answer.mutable_registered()->set_orphan_timeout_seconds(60);
      stream->Write(answer);
    }
    absl::MutexLock lock(&mutex_);
    stream_ = nullptr;
    return grpc::Status::OK;
  }

  void Send(const v1::CoordinatorToAgent& message) {
    absl::MutexLock lock(&mutex_);
    if (stream_ != nullptr) stream_->Write(message);
  }
  // The last message that is as wanted, waited for.
  std::optional<v1::AgentMessage> Hear(
      const std::function<bool(const v1::AgentMessage&)>& wanted) {
    std::optional<v1::AgentMessage> found;
    testing::WaitUntil(kLong, [&] {
      absl::MutexLock lock(&mutex_);
      for (const v1::AgentMessage& message : heard_) {
        if (wanted(message)) found = message;
      }
      return found.has_value();
    });
    return found;
  }

 private:
  absl::Mutex mutex_;
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::vector<v1::AgentMessage> heard_ ABSL_GUARDED_BY(mutex_);
};

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    auto server = rpc::Server::Start({}, {&coordinator_});
    TY_CHECK(server.ok());
    server_ = *std::move(server);
    options_.config.node = "node-a";
    options_.config.coordinator = server_->endpoint();
    options_.config.work_dir = dir_.File("work");
    options_.offer.node = "node-a";
    options_.binary_dir =
        std::filesystem::path(testing::BinaryPath("trainyard-exec")).parent_path().string();
  }
  ~AgentTest() override { agent_.reset(); }

  void Start() {
    auto agent = Agent::Start(options_);
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    ASSERT_TRUE(coordinator_.Hear([](const v1::AgentMessage& m) { return m.has_register_(); }));
  }

  // Orders one task of this program.
  void Want(uint64_t uid, const std::string& binary, bool stop = false) {
    v1::TaskAssignment assignment;
    assignment.set_job_id("job-a");
    assignment.set_epoch(1);
    assignment.set_task_uid(uid);
    assignment.set_secret("secret");
    assignment.set_role("trainer");
    assignment.mutable_spec()->mutable_fake()->set_steps(1'000'000);
    assignment.mutable_spec()->mutable_fake()->set_step_seconds(1);
    v1::CoordinatorToAgent order;
    order.mutable_desired()->set_term(1);
    order.mutable_desired()->set_revision(++revision_);
    order.mutable_desired()->set_full(true);
    v1::DesiredTask* task = order.mutable_desired()->add_tasks();
    task->set_task_uid(uid);
    task->set_binary(binary);
    task->set_stop(stop);
    task->set_grace_seconds(20);
    task->set_assignment(assignment.SerializeAsString());
    coordinator_.Send(order);
  }
  std::optional<v1::AgentMessage> Exit(uint64_t uid) {
    return coordinator_.Hear(
        [uid](const v1::AgentMessage& m) { return m.has_exit() && m.exit().task_uid() == uid; });
  }
  bool Runs(uint64_t uid) {
    return coordinator_
        .Hear([uid](const v1::AgentMessage& m) {
          for (const v1::ActualTask& task : m.actual().tasks()) {
            if (task.task_uid() == uid && task.state() == v1::TASK_RUNNING) return true;
          }
          return false;
        })
        .has_value();
  }

  testing::TempDir dir_;
  FakeCoordinator coordinator_;
  std::unique_ptr<rpc::Server> server_;
  AgentOptions options_;
  std::unique_ptr<Agent> agent_;
  int64_t revision_ = 0;
};

TEST_F(AgentTest, StartsWhatIsWantedAndReportsItsExit) {
  Start();
  Want(7, "trainyard-fake-task");
  EXPECT_TRUE(Runs(7));
  Want(7, "trainyard-fake-task", /*stop=*/true);
  const auto exit = Exit(7);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->exit().end().class_(), v1::END_DRAINED);
  EXPECT_TRUE(std::filesystem::exists(dir_.File("work/tasks/7")));
}

TEST_F(AgentTest, AProgramThatIsNotOnTheListIsAnExitWithTheReason) {
  Start();
  Want(7, "sh");
  const auto exit = Exit(7);
  ASSERT_TRUE(exit.has_value());
  EXPECT_THAT(exit->exit().end().message(), ::testing::HasSubstr("does not start \"sh\""));
}

TEST_F(AgentTest, AnswersAPreflight) {
  Start();
  v1::CoordinatorToAgent order;
  order.mutable_preflight()->set_job_id("job-a");
  order.mutable_preflight()->set_epoch(2);
  v1::TaskAssignment assignment;
  assignment.mutable_spec()->mutable_sft()->mutable_init_from()->set_uri("root://none/x");
  order.mutable_preflight()->set_assignment(assignment.SerializeAsString());
  coordinator_.Send(order);
  const auto answer =
      coordinator_.Hear([](const v1::AgentMessage& m) { return m.has_preflight(); });
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(answer->preflight().ok());
  EXPECT_EQ(answer->preflight().problem().class_(), v1::END_USER_ERROR);
}

TEST_F(AgentTest, LeavesWhenItHasNothingToDo) {
  Start();
  agent_->Leave(absl::Seconds(20), "SIGTERM");
  EXPECT_TRUE(agent_->AwaitDone(kLong));
  EXPECT_TRUE(coordinator_.Hear([](const v1::AgentMessage& m) { return m.has_leaving(); }));
}

}  // namespace
}  // namespace trainyard::agent
