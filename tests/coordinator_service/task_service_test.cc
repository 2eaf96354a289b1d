#include "coordinator/task_service.h"

#include <gmock/gmock.h>

#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

using Order = v1::CoordinatorToTask;

// One job of one task, which its agent says is running.
class TaskServiceTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    agent_ = Agent("a");
    const auto job = Submit(Named("job"), "r");
    ASSERT_TRUE(job.ok()) << job.status();
    assignment_ = Assignments(*agent_, 1)[0];
    Running(*agent_, assignment_.task_uid());
  }

  template <typename Request>
  Request Mine(const std::string& request_id) {
    Request request;
    request.set_request_id(request_id);
    request.set_job_id(assignment_.job_id());
    request.set_epoch(assignment_.epoch());
    request.set_task_uid(assignment_.task_uid());
    request.set_secret(assignment_.secret());
    return request;
  }
  v1::CommitCheckpointRequest Checkpoint(const std::string& request_id, int64_t step) {
    auto request = Mine<v1::CommitCheckpointRequest>(request_id);
    request.set_step(step);
    request.set_uri(absl::StrCat(assignment_.run_uri(), "/e1/step-", step));
    request.set_manifest_sha256(std::string(64, 'a'));
    request.set_keep(1);
    return request;
  }
  auto Commit(const v1::CommitCheckpointRequest& request) {
    return rpc::Call(*tasks_, &v1::TaskService::Stub::CommitCheckpoint, request,
                     {.timeout = absl::Seconds(20)});
  }

  std::unique_ptr<AgentLine> agent_;
  v1::TaskAssignment assignment_;
};

TEST_F(TaskServiceTest, ATaskIsWelcomedAndToldItsPeers) {
  const auto task = Task(assignment_);
  Order order;
  ASSERT_TRUE(task->Next(&order));
  EXPECT_EQ(order.welcome().term(), 1u);
  const auto peers = task->Await([](const Order& o) { return o.has_peers(); }).peers();
  ASSERT_EQ(peers.peers_size(), 1);
  EXPECT_EQ(peers.peers(0).task_uid(), assignment_.task_uid());
}

TEST_F(TaskServiceTest, AStrangerIsSentAway) {
  const auto task = Task(assignment_, std::string(64, '0'));
  Order order;
  EXPECT_FALSE(task->Next(&order));
  EXPECT_EQ(task->Finish().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(TaskServiceTest, MetricsAreKeptOfTheTaskThatSpeaksForItsJobAlone) {
  const auto task = Task(assignment_);
  const auto stranger = Task(assignment_, std::string(64, '0'));
  v1::TaskMessage message;
  message.mutable_metrics()->set_step(1);
  (*message.mutable_metrics()->mutable_values())["loss"] = 9.0;
  stranger->Send(message);
  Order order;
  EXPECT_FALSE(stranger->Next(&order));
  message.mutable_metrics()->set_step(2);
  (*message.mutable_metrics()->mutable_values())["loss"] = 2.5;
  ASSERT_TRUE(task->Send(message));
  // Messages of a stream are heard in order: once this one is answered, that one is kept.
  v1::TaskMessage beat;
  beat.mutable_heartbeat()->set_sequence(1);
  ASSERT_TRUE(task->Send(beat));
  task->Await([](const Order& o) { return o.has_heartbeat(); });
  Restart();  // what is queued is written first
  v1::GetMetricsRequest request;
  request.set_job("job");
  const auto metrics = Ask(&v1::JobService::Stub::GetMetrics, request);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  ASSERT_EQ(metrics->points_size(), 1);
  EXPECT_EQ(metrics->points(0).step(), 2);
  EXPECT_EQ(metrics->points(0).values().at("loss"), 2.5);
}

TEST_F(TaskServiceTest, ACommitTriedAgainIsOneCheckpointAndPrunesTheOlder) {
  const auto first = Commit(Checkpoint("c1", 10));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Commit(Checkpoint("c1", 10))->revision(), first->revision());
  const auto second = Commit(Checkpoint("c2", 20));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_THAT(std::vector<std::string>(second->prune().begin(), second->prune().end()),
              ::testing::ElementsAre(assignment_.run_uri() + "/e1/step-10"));
  const auto job = Get("job");
  ASSERT_EQ(job->checkpoints_size(), 1);
  EXPECT_EQ(job->checkpoints(0).step(), 20);
}

TEST_F(TaskServiceTest, AnEpochThatIsOverCommitsNothing) {
  auto request = Checkpoint("c1", 10);
  request.set_epoch(assignment_.epoch() - 1);
  EXPECT_EQ(Commit(request).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Get("job")->checkpoints_size(), 0);
}

TEST_F(TaskServiceTest, AFinishedJobSucceedsHoweverItsTasksEndThen) {
  auto request = Mine<v1::FinishJobRequest>("f");
  v1::Artifact* model = request.add_outputs();
  model->set_name("model");
  model->set_type("model");
  model->set_uri(assignment_.run_uri() + "/e1/model");
  model->set_manifest_sha256(std::string(64, 'b'));
  const auto finished = rpc::Call(*tasks_, &v1::TaskService::Stub::FinishJob, request,
                                  {.timeout = absl::Seconds(20)});
  ASSERT_TRUE(finished.ok()) << finished.status();
  const auto job = Get("job");
  ASSERT_EQ(job->outputs_size(), 1);
  EXPECT_EQ(job->outputs(0).uri(), model->uri());
  Exit(*agent_, assignment_.task_uid(), v1::END_SIGNAL);
  EXPECT_EQ(Ended("job").state(), v1::SUCCEEDED);
}

}  // namespace
}  // namespace trainyard::coordinator
