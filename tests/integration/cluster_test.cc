// Jobs from submission to their end over real processes and real gRPC, nothing broken on purpose.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "absl/strings/str_replace.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "rpc/call.h"
#include "tests/support/cluster.h"

namespace trainyard::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
constexpr absl::Duration kLong = absl::Seconds(60);

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }

  void Start(const ClusterOptions& options) {
    cluster_.reset();
    auto cluster = Cluster::Start(options);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
  }

  std::string Submit(const v1::JobSpec& spec) {
    const auto job = cluster_->Submit(spec);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.ok() ? job->id() : "";
  }

  v1::Job Await(const std::string& job, v1::JobState state) {
    const auto reached = cluster_->WaitForState(job, state, kLong);
    EXPECT_TRUE(reached.ok()) << reached.status();
    return reached.ok() ? *reached : v1::Job();
  }

  v1::Job AwaitStep(const std::string& job, int64_t step) {
    const auto reached = cluster_->WaitFor(job, kLong, [step](const v1::Job& seen) {
      return seen.progress().step() >= step || IsTerminal(seen.state());
    });
    EXPECT_TRUE(reached.ok()) << reached.status();
    return reached.ok() ? *reached : v1::Job();
  }

  std::unique_ptr<Cluster> cluster_;
};

TEST_F(ClusterTest, AJobSucceedsAndItsOutputIsOnDiskAsRecorded) {
  v1::JobSpec spec = FakeJob("quick", 6, absl::Milliseconds(20), 2);
  spec.mutable_fake()->set_checkpoint_every(2);
  const v1::Job job = Await(Submit(spec), v1::SUCCEEDED);
  EXPECT_EQ(job.attempt(), 1);
  EXPECT_EQ(job.checkpoints_size(), 2);
  ASSERT_EQ(job.outputs_size(), 1);
  const std::string uri = job.outputs(0).uri();
  ASSERT_THAT(uri, HasSubstr("root://runs/"));
  const std::string manifest =
      cluster_->runs_dir() + uri.substr(std::string("root://runs").size()) + "/manifest.json";
  EXPECT_EQ(*FileSha256Hex(manifest), job.outputs(0).manifest_sha256());
  EXPECT_TRUE(cluster_->WaitUntilIdle(kLong).ok());
}

TEST_F(ClusterTest, ItsOutputAndMetricsCanBeRead) {
  const v1::Job job = Await(Submit(FakeJob("loud", 5, absl::Milliseconds(20))), v1::SUCCEEDED);
  std::string text;
  const bool shipped = WaitUntil(kLong, [&] {
    text.clear();
    v1::GetLogsRequest request;
    request.set_job(job.id());
    request.set_task("trainer/0");
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = absl::Seconds(10)}, &context);
    auto reader = cluster_->jobs().GetLogs(&context, request);
    v1::LogChunk chunk;
    while (reader->Read(&chunk)) text += chunk.data();
    return text.find("step 5 of 5") != std::string::npos;
  });
  EXPECT_TRUE(shipped) << text << cluster_->Logs();
  v1::GetMetricsRequest request;
  request.set_job(job.id());
  const auto metrics = rpc::Call(cluster_->jobs(), &v1::JobService::Stub::GetMetrics, request, {});
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_GE(metrics->points_size(), 1);
}

TEST_F(ClusterTest, AUserErrorIsNotRetriedAndNamesItsCause) {
  v1::JobSpec spec = FakeJob("wrong", 10, absl::Milliseconds(10));
  spec.mutable_fake()->set_fail_at_step(3);
  spec.mutable_fake()->set_fail_class(v1::END_USER_ERROR);
  const v1::Job job = Await(Submit(spec), v1::FAILED);
  EXPECT_EQ(job.attempt(), 1);
  EXPECT_EQ(job.end().class_(), v1::END_USER_ERROR);
  EXPECT_THAT(job.end().message(), HasSubstr("told to fail at step 3"));
  EXPECT_TRUE(cluster_->WaitUntilIdle(kLong).ok());
}

TEST_F(ClusterTest, AnErrorThatComesAgainFailsTheJobAfterItsAttempts) {
  v1::JobSpec spec = FakeJob("again", 10, absl::Milliseconds(10));
  spec.set_max_attempts(2);
  spec.mutable_fake()->set_fail_at_step(3);
  spec.mutable_fake()->set_fail_class(v1::END_DEVICE_ERROR);
  const v1::Job job = Await(Submit(spec), v1::FAILED);
  EXPECT_EQ(job.attempt(), 2);
  EXPECT_EQ(job.end().class_(), v1::END_DEVICE_ERROR);
}

TEST_F(ClusterTest, ACancelledJobEndsAndFreesItsSlots) {
  const std::string id = Submit(FakeJob("long", 100'000, absl::Milliseconds(20), 2));
  AwaitStep(id, 2);
  v1::CancelJobRequest request;
  request.set_job(id);
  ASSERT_TRUE(rpc::Call(cluster_->jobs(), &v1::JobService::Stub::CancelJob, request, {}).ok());
  Await(id, v1::CANCELLED);
  const absl::Status idle = cluster_->WaitUntilIdle(kLong);
  EXPECT_TRUE(idle.ok()) << idle;
}

TEST_F(ClusterTest, AFailedJobCanBeRetriedAndGoesOnFromItsCheckpoint) {
  v1::JobSpec spec = FakeJob("retry", 12, absl::Milliseconds(10));
  spec.set_max_attempts(1);
  spec.mutable_fake()->set_checkpoint_every(4);
  // Step 4 is committed, so the second try begins beyond the step that fails.
  spec.mutable_fake()->set_fail_at_step(5);
  spec.mutable_fake()->set_fail_class(v1::END_DEVICE_ERROR);
  const std::string id = Submit(spec);
  const v1::Job failed = Await(id, v1::FAILED);
  ASSERT_GE(failed.checkpoints_size(), 1);
  EXPECT_EQ(failed.checkpoints(0).step(), 4);
  v1::RetryJobRequest request;
  request.set_job(id);
  const auto retried = rpc::Call(cluster_->jobs(), &v1::JobService::Stub::RetryJob, request, {});
  ASSERT_TRUE(retried.ok()) << retried.status();
  const auto again = cluster_->WaitFor(id, kLong, [&](const v1::Job& seen) {
    return seen.attempt() > failed.attempt() && IsTerminal(seen.state());
  });
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state(), v1::FAILED);
  EXPECT_EQ(again->current().restored_step(), 4);
}

TEST_F(ClusterTest, APausedJobFreesItsSlotsAndGoesOnWhereItWas) {
  const std::string id = Submit(FakeJob("pauser", 100, absl::Milliseconds(20)));
  AwaitStep(id, 3);
  v1::PauseJobRequest pause;
  pause.set_job(id);
  ASSERT_TRUE(rpc::Call(cluster_->jobs(), &v1::JobService::Stub::PauseJob, pause, {}).ok());
  const v1::Job paused = Await(id, v1::PAUSED);
  const absl::Status idle = cluster_->WaitUntilIdle(kLong);
  EXPECT_TRUE(idle.ok()) << idle;
  ASSERT_GE(paused.checkpoints_size(), 1) << "a pause saves a checkpoint";
  v1::ResumeJobRequest resume;
  resume.set_job(id);
  ASSERT_TRUE(rpc::Call(cluster_->jobs(), &v1::JobService::Stub::ResumeJob, resume, {}).ok());
  const v1::Job done = Await(id, v1::SUCCEEDED);
  EXPECT_GE(done.current().restored_step(), 3);
  EXPECT_GT(done.epoch(), paused.current().epoch());
}

TEST_F(ClusterTest, AnElasticRoleIsScaledUpAndDownWithoutTouchingTheRanks) {
  v1::JobSpec spec = FakeJob("elastic", 100'000, absl::Milliseconds(20));
  v1::RoleSpec* rollout = spec.add_roles();
  rollout->set_name("rollout");
  rollout->set_count(1);
  rollout->mutable_resources()->set_cpu_milli(500);
  rollout->mutable_resources()->set_memory_bytes(64 << 20);
  const std::string id = Submit(spec);
  AwaitStep(id, 2);
  const auto scale = [&](int count) {
    v1::ScaleJobRequest request;
    request.set_job(id);
    request.set_role("rollout");
    request.set_count(count);
    const auto scaled = rpc::Call(cluster_->jobs(), &v1::JobService::Stub::ScaleJob, request, {});
    EXPECT_TRUE(scaled.ok()) << scaled.status();
    return cluster_->WaitFor(id, kLong, [count](const v1::Job& job) {
      int ready = 0, alive = 0;
      for (const v1::Task& task : job.current().tasks()) {
        if (task.role() != "rollout") continue;
        ready += task.state() == v1::TASK_READY || task.state() == v1::TASK_RUNNING;
        alive += task.state() != v1::TASK_EXITED && task.state() != v1::TASK_LOST;
      }
      return ready == count && alive == count;
    });
  };
  const auto up = scale(3);
  ASSERT_TRUE(up.ok()) << up.status();
  const auto down = scale(1);
  ASSERT_TRUE(down.ok()) << down.status();
  EXPECT_EQ(down->attempt(), 1);
  EXPECT_EQ(down->epoch(), up->epoch());
}

TEST_F(ClusterTest, StagesOfAPipelineRunInOrder) {
  v1::SubmitPipelineRequest request;
  request.set_request_id("pipeline-1");
  request.mutable_spec()->set_name("line");
  *request.mutable_spec()->add_stages() = FakeJob("first", 5, absl::Milliseconds(20));
  *request.mutable_spec()->add_stages() = FakeJob("second", 5, absl::Milliseconds(20));
  request.mutable_spec()->mutable_stages(1)->add_after("first");
  const auto pipeline =
      rpc::Call(cluster_->jobs(), &v1::JobService::Stub::SubmitPipeline, request, {});
  ASSERT_TRUE(pipeline.ok()) << pipeline.status();
  ASSERT_EQ(pipeline->job_ids_size(), 2);
  const v1::Job second = Await(pipeline->job_ids(1), v1::SUCCEEDED);
  const v1::Job first = Await(pipeline->job_ids(0), v1::SUCCEEDED);
  EXPECT_LE(first.ended_at_us(), second.started_at_us());
}

TEST_F(ClusterTest, AFailedStageCancelsWhatWaitsForIt) {
  v1::SubmitPipelineRequest request;
  request.set_request_id("pipeline-2");
  request.mutable_spec()->set_name("broken");
  v1::JobSpec first = FakeJob("first", 5, absl::Milliseconds(20));
  first.mutable_fake()->set_fail_at_step(2);
  first.mutable_fake()->set_fail_class(v1::END_USER_ERROR);
  *request.mutable_spec()->add_stages() = first;
  *request.mutable_spec()->add_stages() = FakeJob("second", 5, absl::Milliseconds(20));
  request.mutable_spec()->mutable_stages(1)->add_after("first");
  const auto pipeline =
      rpc::Call(cluster_->jobs(), &v1::JobService::Stub::SubmitPipeline, request, {});
  ASSERT_TRUE(pipeline.ok()) << pipeline.status();
  EXPECT_EQ(Await(pipeline->job_ids(1), v1::CANCELLED).end().class_(), v1::END_UPSTREAM);
}

// A job that reads this file, and never gets as far as that.
v1::JobSpec TokenizerJob(const std::string& name, const std::string& uri) {
  v1::JobSpec spec;
  spec.set_name(name);
  spec.mutable_tokenizer()->set_vocab_size(512);
  spec.mutable_tokenizer()->add_special_tokens("<|end|>");
  spec.mutable_tokenizer()->set_end_of_text("<|end|>");
  spec.mutable_tokenizer()->add_train()->mutable_file()->set_uri(uri);
  return spec;
}

TEST_F(ClusterTest, AMissingFileFailsTheJobBeforeAnyTaskStarts) {
  const v1::Job job = Await(Submit(TokenizerJob("missing", "root://data/no/such.jsonl")),
                            v1::FAILED);
  EXPECT_EQ(job.end().class_(), v1::END_USER_ERROR);
  EXPECT_THAT(job.end().message(), HasSubstr("root://data/no/such.jsonl"));
  EXPECT_EQ(job.attempt(), 1) << "a user's error is not retried";
  const auto agent = ReadFile(cluster_->Dir("agent-0.log"));
  ASSERT_TRUE(agent.ok());
  EXPECT_THAT(*agent, ::testing::Not(HasSubstr("starting task")));
  EXPECT_TRUE(cluster_->WaitUntilIdle(kLong).ok());
}

TEST_F(ClusterTest, AFileOutsideItsRootIsRefused) {
  const auto climbing = cluster_->Submit(TokenizerJob("climber", "root://data/../secret.txt"));
  EXPECT_EQ(climbing.status().code(), absl::StatusCode::kInvalidArgument) << climbing.status();
  fs::create_symlink("/etc/passwd", cluster_->Dir("data/link.txt"));
  const v1::Job job = Await(Submit(TokenizerJob("linker", "root://data/link.txt")), v1::FAILED);
  EXPECT_EQ(job.end().class_(), v1::END_USER_ERROR);
  EXPECT_THAT(job.end().message(), HasSubstr("leaves its root"));
}

TEST_F(ClusterTest, AJobThatFitsNowhereWaitsAndSaysWhy) {
  const std::string id = Submit(FakeJob("huge", 5, absl::Milliseconds(10), 100));
  const auto waiting = cluster_->WaitFor(id, kLong, [](const v1::Job& job) {
    return job.state() == v1::QUEUED && !job.reason().empty();
  });
  ASSERT_TRUE(waiting.ok()) << waiting.status();
  EXPECT_THAT(waiting->reason(), HasSubstr("cpu"));
  v1::CancelJobRequest request;
  request.set_job(id);
  ASSERT_TRUE(rpc::Call(cluster_->jobs(), &v1::JobService::Stub::CancelJob, request, {}).ok());
  Await(id, v1::CANCELLED);
}

TEST_F(ClusterTest, TheSameRequestTwiceIsOneJob) {
  const v1::JobSpec spec = FakeJob("once", 3, absl::Milliseconds(10));
  const auto first = cluster_->Submit(spec, "request-1");
  const auto second = cluster_->Submit(spec, "request-1");
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_EQ(first->id(), second->id());
  EXPECT_EQ(cluster_->Submit(FakeJob("other", 3, absl::Milliseconds(10)), "request-1")
                .status()
                .code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(ClusterTest, ADrainedNodeIsLeftWithACheckpointAndTheJobGoesOnElsewhere) {
  Start({.agents = 2});
  v1::JobSpec spec = FakeJob("mover", 150, absl::Milliseconds(20));
  const std::string id = Submit(spec);
  const v1::Job running = AwaitStep(id, 3);
  ASSERT_EQ(running.current().tasks_size(), 1);
  const std::string node = running.current().tasks(0).node();
  v1::DrainNodeRequest request;
  request.set_node(node);
  request.set_deadline_seconds(20);
  ASSERT_TRUE(rpc::Call(cluster_->nodes(), &v1::ClusterService::Stub::DrainNode, request, {}).ok());
  const v1::Job done = Await(id, v1::SUCCEEDED);
  EXPECT_NE(done.current().tasks(0).node(), node);
  EXPECT_GE(done.current().restored_step(), 3) << "the drain saved a checkpoint";
}

TEST_F(ClusterTest, AnAgentThatIsToldToStopSavesItsTasksFirst) {
  const std::string id = Submit(FakeJob("leaver", 150, absl::Milliseconds(20)));
  AwaitStep(id, 3);
  cluster_->agent(0).Signal(SIGTERM);
  const auto end = cluster_->agent(0).Wait(kLong);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->exit_code, 0) << cluster_->Logs();
  EXPECT_TRUE(cluster_->TaskPids().empty());
  const auto saved = cluster_->Get(id);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_GE(saved->checkpoints_size(), 1) << cluster_->Logs();
  ASSERT_TRUE(cluster_->StartAgent(0).ok());
  Await(id, v1::SUCCEEDED);
}

TEST_F(ClusterTest, ASecondAgentOfTheSameNameIsRefused) {
  const auto config = ReadFile(cluster_->Dir("agent-0.yaml"));
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string elsewhere =
      absl::StrReplaceAll(*config, {{cluster_->Dir("work-0"), cluster_->Dir("work-twin")}});
  ASSERT_TRUE(WriteFileAtomically(cluster_->Dir("twin.yaml"), elsewhere).ok());
  auto twin = Process::Start({.binary = "trainyard-agent",
                              .args = {"--config", cluster_->Dir("twin.yaml")}});
  ASSERT_TRUE(twin.ok()) << twin.status();
  const absl::Status refused = (*twin)->WaitForOutput("ALREADY_EXISTS", kLong);
  EXPECT_TRUE(refused.ok()) << refused;
  EXPECT_TRUE(cluster_->agent(0).running());
}

TEST_F(ClusterTest, ASecondAgentInTheSameWorkDirectoryDoesNotTouchTheFirstOnesTasks) {
  const std::string id = Submit(FakeJob("victim", 60, absl::Milliseconds(20)));
  AwaitStep(id, 2);
  auto twin = Process::Start({.binary = "trainyard-agent",
                              .args = {"--config", cluster_->Dir("agent-0.yaml")}});
  ASSERT_TRUE(twin.ok()) << twin.status();
  const auto end = (*twin)->Wait(kLong);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->exit_code, 1);
  EXPECT_THAT((*twin)->Output(), HasSubstr("belongs to another agent"));
  EXPECT_EQ(Await(id, v1::SUCCEEDED).attempt(), 1);
}

}  // namespace
}  // namespace trainyard::testing
