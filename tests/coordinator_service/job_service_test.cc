#include "coordinator/job_service.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

using JobServiceTest = ServiceTest;

TEST_F(JobServiceTest, ASubmissionTriedAgainIsOneJob) {
  const auto first = Submit(Named("a"), "request-1");
  const auto again = Submit(Named("a"), "request-1");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(first->id(), again->id());
  EXPECT_EQ(List("", 10)->jobs_size(), 1);
  const auto other = Submit(Named("b"), "request-1");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(JobServiceTest, TwoLiveJobsDoNotWriteToOneDirectory) {
  const auto in = [&](const std::string& name) {
    return Job(kFake, {"name=" + name, "run_uri=root://runs/one-place"});
  };
  const auto first = Submit(in("a"), "request-1");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Submit(in("b"), "request-2");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first->id()));
  const auto detail = rpc::DetailOf(second.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "RUN_URI_TAKEN");
  ASSERT_TRUE(Cancel("a").ok());
  const auto third = Submit(in("b"), "request-3");
  EXPECT_TRUE(third.ok()) << third.status();
}

TEST_F(JobServiceTest, AWrongSpecIsRefusedWithEveryViolation) {
  const auto refused = Submit(Job(kSft, {"sft.optimizer.lr=0", "sft.loop.global_batch=0"}), "r");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  const auto detail = rpc::DetailOf(refused.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "SPEC_INVALID");
  ASSERT_EQ(detail->violations.size(), 2u);
  EXPECT_EQ(detail->violations[0].field, "sft.optimizer.lr");
}

TEST_F(JobServiceTest, ValidateOnlyFillsDefaultsAndStoresNothing) {
  const auto checked = Submit(Named("a"), "", /*validate_only=*/true);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->spec().roles(0).name(), "trainer");
  EXPECT_EQ(List("", 10)->jobs_size(), 0);
}

TEST_F(JobServiceTest, PagesHoldEveryJobOnceNewestFirst) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(Submit(Named(absl::StrCat("j", i)), absl::StrCat("r", i)).ok());
  }
  std::vector<std::string> names;
  std::string token;
  do {
    const auto page = List("kind=fake", 3, token);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Job& job : page->jobs()) names.push_back(job.spec().name());
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_THAT(names, ::testing::ElementsAre("j6", "j5", "j4", "j3", "j2", "j1", "j0"));
  EXPECT_EQ(List("name=j3", 10)->jobs_size(), 1);
  EXPECT_EQ(List("kind=ppo", 10)->jobs_size(), 0);
  EXPECT_EQ(List("", 10, "nonsense").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(List("stte=x", 10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(JobServiceTest, MoreThanExistsIsAcceptedAndExplained) {
  const auto job = Submit(Job(kFake, {"roles=[{name: trainer, count: 64}]"}), "r");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::QUEUED);
  const auto explained = Get(job->id(), /*explain=*/true);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_FALSE(explained->reason().empty());
}

TEST_F(JobServiceTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(Get("nobody").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rpc::DetailOf(Get("nobody").status())->reason, "NO_SUCH_JOB");
  EXPECT_EQ(Cancel("nobody").status().code(), absl::StatusCode::kNotFound);
  v1::ListEventsRequest events;
  events.set_job("nobody");
  EXPECT_EQ(rpc::DetailOf(Ask(&v1::JobService::Stub::ListEvents, events).status())->reason,
            "NO_SUCH_JOB");
  v1::GetPipelineRequest pipeline;
  pipeline.set_pipeline("nobody");
  EXPECT_EQ(rpc::DetailOf(Ask(&v1::JobService::Stub::GetPipeline, pipeline).status())->reason,
            "NO_SUCH_PIPELINE");
}

TEST_F(JobServiceTest, APipelineIsStoredWholeAndSeenWhole) {
  v1::SubmitPipelineRequest request;
  request.set_request_id("p1");
  *request.mutable_spec() = Pipeline(
      "name: line\nstages:\n- {name: a, fake: {steps: 1}}\n"
      "- {name: b, fake: {steps: 1}, after: [a]}\n");
  const auto pipeline = Ask(&v1::JobService::Stub::SubmitPipeline, request);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status();
  v1::GetPipelineRequest get;
  get.set_pipeline(pipeline->id());
  const auto read = Ask(&v1::JobService::Stub::GetPipeline, get);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->jobs_size(), 2);
  EXPECT_EQ(read->jobs(0).stage(), "a");
  EXPECT_EQ(read->jobs(1).state(), v1::BLOCKED);
  v1::CancelPipelineRequest cancel;
  cancel.set_pipeline("line");
  ASSERT_TRUE(Ask(&v1::JobService::Stub::CancelPipeline, cancel).ok());
  EXPECT_EQ(Get(read->jobs(1).id())->state(), v1::CANCELLED);
}

TEST_F(JobServiceTest, EventsTellWhatHappenedInOrder) {
  ASSERT_TRUE(Submit(Named("a"), "r").ok());
  ASSERT_TRUE(Cancel("a").ok());
  v1::ListEventsRequest request;
  request.set_job("a");
  const auto response = Ask(&v1::JobService::Stub::ListEvents, request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_GE(response->events_size(), 2);
  EXPECT_EQ(response->events(0).type(), "job.submitted");
  EXPECT_EQ(response->events(0).principal(), "anonymous");
  for (int i = 1; i < response->events_size(); ++i) {
    EXPECT_LE(response->events(i - 1).revision(), response->events(i).revision());
  }
}

TEST_F(JobServiceTest, APausedJobWaitsUntilItIsResumed) {
  ASSERT_TRUE(Submit(Named("a"), "r").ok());
  v1::PauseJobRequest pause;
  pause.set_job("a");
  const auto paused = Ask(&v1::JobService::Stub::PauseJob, pause);
  ASSERT_TRUE(paused.ok()) << paused.status();
  EXPECT_EQ(paused->state(), v1::PAUSED);
  v1::ResumeJobRequest resume;
  resume.set_job("a");
  const auto resumed = Ask(&v1::JobService::Stub::ResumeJob, resume);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(resumed->state(), v1::QUEUED);
}

TEST_F(JobServiceTest, OnlyAJobThatIsOverIsTriedAgain) {
  ASSERT_TRUE(Submit(Named("a"), "r").ok());
  v1::RetryJobRequest retry;
  retry.set_job("a");
  EXPECT_EQ(Ask(&v1::JobService::Stub::RetryJob, retry).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Cancel("a").ok());
  const auto again = Ask(&v1::JobService::Stub::RetryJob, retry);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state(), v1::QUEUED);
}

TEST_F(JobServiceTest, OnlyAnElasticRoleIsScaled) {
  const auto job =
      Submit(Job(kFake, {"name=p", "roles=[{name: trainer}, {name: rollout, min_count: 1}]"}), "r");
  ASSERT_TRUE(job.ok()) << job.status();
  v1::ScaleJobRequest scale;
  scale.set_job("p");
  scale.set_role("rollout");
  scale.set_count(3);
  const auto scaled = Ask(&v1::JobService::Stub::ScaleJob, scale);
  ASSERT_TRUE(scaled.ok()) << scaled.status();
  EXPECT_EQ(scaled->wanted().at("rollout"), 3);
  scale.set_role("trainer");
  const auto refused = Ask(&v1::JobService::Stub::ScaleJob, scale);
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("trainer"));
}

// A generate job that serves, its controller and its rollout task placed on an agent.
class ServingTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    agent_ = Agent("a");
    const auto job = Submit(Job(kServe, {}), "r");
    ASSERT_TRUE(job.ok()) << job.status();
    for (const v1::TaskAssignment& assignment : Assignments(*agent_, 2)) {
      Running(*agent_, assignment.task_uid());
      if (assignment.role() == "rollout") rollout_ = assignment;
    }
  }
  absl::StatusOr<v1::GetServingResponse> Serving(const std::string& job) {
    v1::GetServingRequest request;
    request.set_job(job);
    return Ask(&v1::JobService::Stub::GetServing, request);
  }
  // The rollout task says that it serves; then it is known.
  void Serve() {
    const auto task = Task(rollout_);
    v1::TaskMessage message;
    message.mutable_ready()->set_endpoint("127.0.0.1:7");
    ASSERT_TRUE(task->Send(message));
    ASSERT_TRUE(testing::WaitUntil(kStreamLimit, [this] { return Serving("served").ok(); }));
  }

  static constexpr char kServe[] =
      "name: served\ngenerate: {model: root://runs/model, serve: true}\n";
  std::unique_ptr<AgentLine> agent_;
  v1::TaskAssignment rollout_;
};

TEST_F(ServingTest, AServedJobHandsOutWhereItIsCalledAndTheRightTo) {
  const auto early = Serving("served");
  EXPECT_EQ(early.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(early.status().message()), HasSubstr("no rollout task of job"));
  Serve();
  const auto serving = Serving("served");
  ASSERT_TRUE(serving.ok()) << serving.status();
  EXPECT_THAT(serving->endpoints(), ::testing::ElementsAre("127.0.0.1:7"));
  EXPECT_EQ(serving->job_id(), rollout_.job_id());
  EXPECT_EQ(serving->epoch(), rollout_.epoch());
  EXPECT_EQ(serving->secret(), rollout_.secret());
}

TEST_F(ServingTest, TheRightToAnyOtherJobIsNotHandedOut) {
  ASSERT_TRUE(Submit(Named("other"), "r2").ok());
  const auto other = Serving("other");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(rpc::DetailOf(other.status())->reason, "NOT_SERVED");
  EXPECT_EQ(Serving("nobody").status().code(), absl::StatusCode::kNotFound);
  Serve();
  ASSERT_TRUE(Cancel("served").ok());
  const auto over = Serving(rollout_.job_id());
  EXPECT_EQ(over.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(over.status().message()), HasSubstr("is over"));
}

}  // namespace
}  // namespace trainyard::coordinator
