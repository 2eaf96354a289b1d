// The whole coordinator in this process: real gRPC, a real store in a temporary directory.

#include "coordinator/service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"
#include "tests/coordinator_service/spec_texts.h"
#include "tests/support/process.h"
#include "trainyard/v1/coordinator.grpc.pb.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

class ServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ConfigureLog("coordinator", "warn"); }
  void SetUp() override { Start(); }

  void Start() {
    Config config;
    config.state_dir = dir_.File("state");
    config.listen = "127.0.0.1:0";
    config.http = "127.0.0.1:0";
    auto started = Coordinator::Start(config, CoreOptions(), Clock::Real(),
                                      [](const absl::Status& status) { FAIL() << status; });
    ASSERT_TRUE(started.ok()) << started.status();
    coordinator_ = *std::move(started);
    channel_ = rpc::OpenChannel(coordinator_->endpoint(), {.own_connection = true});
    jobs_ = v1::JobService::NewStub(channel_);
    cluster_ = v1::ClusterService::NewStub(channel_);
  }

  void Restart() {
    coordinator_.reset();
    Start();
  }

  template <typename Method, typename Request>
  auto Ask(Method method, const Request& request) {
    return rpc::Call(*jobs_, method, request, {.timeout = absl::Seconds(20)});
  }

  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec, const std::string& request_id,
                                 bool validate_only = false) {
    v1::SubmitJobRequest request;
    request.set_request_id(request_id);
    request.set_validate_only(validate_only);
    *request.mutable_spec() = spec;
    return Ask(&v1::JobService::Stub::SubmitJob, request);
  }
  // A job of this name.
  v1::JobSpec Named(const std::string& name) { return Job(kFake, {"name=" + name}); }

  absl::StatusOr<v1::Job> Get(const std::string& job, bool explain = false) {
    v1::GetJobRequest request;
    request.set_job(job);
    request.set_explain(explain);
    return Ask(&v1::JobService::Stub::GetJob, request);
  }

  absl::StatusOr<v1::Job> Cancel(const std::string& job) {
    v1::CancelJobRequest request;
    request.set_job(job);
    return Ask(&v1::JobService::Stub::CancelJob, request);
  }

  absl::StatusOr<v1::ListJobsResponse> List(const std::string& filter, int size,
                                            const std::string& token = "") {
    v1::ListJobsRequest request;
    request.set_filter(filter);
    request.set_page_size(size);
    request.set_page_token(token);
    return Ask(&v1::JobService::Stub::ListJobs, request);
  }

  testing::TempDir dir_;
  std::unique_ptr<Coordinator> coordinator_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::ClusterService::Stub> cluster_;
};

TEST_F(ServiceTest, ASubmissionTriedAgainIsOneJob) {
  const auto first = Submit(Named("a"), "request-1");
  const auto again = Submit(Named("a"), "request-1");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(first->id(), again->id());
  EXPECT_EQ(List("", 10)->jobs_size(), 1);
  const auto other = Submit(Named("b"), "request-1");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(ServiceTest, TwoLiveJobsDoNotWriteToOneDirectory) {
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

TEST_F(ServiceTest, AWrongSpecIsRefusedWithEveryViolation) {
  const auto refused = Submit(Job(kSft, {"sft.optimizer.lr=0", "sft.loop.global_batch=0"}), "r");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  const auto detail = rpc::DetailOf(refused.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "SPEC_INVALID");
  ASSERT_EQ(detail->violations.size(), 2u);
  EXPECT_EQ(detail->violations[0].field, "sft.optimizer.lr");
}

TEST_F(ServiceTest, ValidateOnlyFillsDefaultsAndStoresNothing) {
  const auto checked = Submit(Named("a"), "", /*validate_only=*/true);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->spec().roles(0).name(), "trainer");
  EXPECT_EQ(List("", 10)->jobs_size(), 0);
}

TEST_F(ServiceTest, PagesHoldEveryJobOnceNewestFirst) {
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

TEST_F(ServiceTest, ARestartKeepsEverythingThatWasAcknowledged) {
  const auto job = Submit(Named("a"), "r1");
  ASSERT_TRUE(job.ok());
  ASSERT_TRUE(Submit(Named("b"), "r2").ok());
  ASSERT_TRUE(Cancel("b").ok());
  Restart();
  EXPECT_EQ(Get("a")->id(), job->id());
  EXPECT_EQ(Get("a")->state(), v1::QUEUED);
  EXPECT_EQ(Get("b")->state(), v1::CANCELLED);
  EXPECT_EQ(Submit(Named("a"), "r1")->id(), job->id());
  const auto status = rpc::Call(*cluster_, &v1::ClusterService::Stub::GetClusterStatus,
                                v1::GetClusterStatusRequest(), {});
  EXPECT_EQ(status->term(), 2u);
}

TEST_F(ServiceTest, ASecondCoordinatorOnTheDirectoryIsRefused) {
  Config config;
  config.state_dir = dir_.File("state");
  config.listen = "127.0.0.1:0";
  config.http = "";
  const auto second =
      Coordinator::Start(config, CoreOptions(), Clock::Real(), [](const absl::Status&) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(config.state_dir));
}

TEST_F(ServiceTest, MoreThanExistsIsAcceptedAndExplained) {
  const auto job = Submit(Job(kFake, {"roles=[{name: trainer, count: 64}]"}), "r");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::QUEUED);
  const auto explained = Get(job->id(), /*explain=*/true);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_FALSE(explained->reason().empty());
}

TEST_F(ServiceTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(Get("nobody").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rpc::DetailOf(Get("nobody").status())->reason, "NO_SUCH_JOB");
  EXPECT_EQ(Cancel("nobody").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ServiceTest, APipelineIsStoredWholeAndSeenWhole) {
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

TEST_F(ServiceTest, EventsTellWhatHappenedInOrder) {
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

// ---- Watches ----

class Watch {
 public:
  Watch(v1::JobService::Stub& stub, const v1::WatchJobsRequest& request) {
    rpc::PrepareContext({.timeout = absl::Seconds(60)}, &context_);
    reader_ = stub.WatchJobs(&context_, request);
  }
  ~Watch() {
    context_.TryCancel();
    if (!finished_) reader_->Finish();
  }
  bool Next(v1::WatchJobsEvent* event) { return reader_->Read(event); }
  absl::Status Finish() {
    finished_ = true;
    const grpc::Status status = reader_->Finish();
    return rpc::FromGrpc(status, context_);
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchJobsEvent>> reader_;
  bool finished_ = false;
};

TEST_F(ServiceTest, AWatchShowsASnapshotThenEveryChange) {
  ASSERT_TRUE(Submit(Named("a"), "r1").ok());
  Watch watch(*jobs_, v1::WatchJobsRequest());
  v1::WatchJobsEvent event;
  ASSERT_TRUE(watch.Next(&event));
  EXPECT_EQ(event.job().spec().name(), "a");
  ASSERT_TRUE(watch.Next(&event));
  EXPECT_TRUE(event.synced());
  const int64_t synced = event.revision();
  ASSERT_TRUE(Submit(Named("b"), "r2").ok());
  ASSERT_TRUE(watch.Next(&event));
  EXPECT_EQ(event.job().spec().name(), "b");
  EXPECT_GT(event.revision(), synced);
}

TEST_F(ServiceTest, AWatchFromARevisionShowsOnlyWhatChangedSince) {
  ASSERT_TRUE(Submit(Named("a"), "r1").ok());
  const int64_t seen = List("", 1)->revision();
  ASSERT_TRUE(Submit(Named("b"), "r2").ok());
  v1::WatchJobsRequest request;
  request.set_revision(seen);
  Watch watch(*jobs_, request);
  v1::WatchJobsEvent event;
  ASSERT_TRUE(watch.Next(&event));
  EXPECT_EQ(event.job().spec().name(), "b");
  ASSERT_TRUE(watch.Next(&event));
  EXPECT_TRUE(event.synced());
}

TEST_F(ServiceTest, AWatchFromTheFutureIsOutOfRange) {
  v1::WatchJobsRequest request;
  request.set_revision(1000000);
  Watch watch(*jobs_, request);
  v1::WatchJobsEvent event;
  EXPECT_FALSE(watch.Next(&event));
  EXPECT_EQ(watch.Finish().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(ServiceTest, ASnapshotLargerThanAPageIsWhole) {
  constexpr int kJobs = 600;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < kJobs; i += 6) {
        EXPECT_TRUE(Submit(Named(absl::StrCat("j", i)), absl::StrCat("r", i)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Watch watch(*jobs_, v1::WatchJobsRequest());
  std::set<std::string> names;
  v1::WatchJobsEvent event;
  while (watch.Next(&event) && !event.synced()) names.insert(event.job().spec().name());
  EXPECT_EQ(names.size(), static_cast<size_t>(kJobs));
}

TEST_F(ServiceTest, AWatcherThatReadsNothingIsCutOffAndHurtsNobody) {
  Watch slow(*jobs_, v1::WatchJobsRequest());
  v1::WatchJobsEvent event;
  ASSERT_TRUE(slow.Next(&event) && event.synced());
  // Far more than the buffer and the transport's window hold.
  v1::JobSpec fat = Job(kFake);
  for (int i = 0; i < 60; ++i) {
    (*fat.mutable_labels())[absl::StrCat("l", i)] = std::string(250, 'x');
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 1600; i += 8) {
        v1::JobSpec spec = fat;
        spec.set_name(absl::StrCat("j", i));
        EXPECT_TRUE(Submit(spec, absl::StrCat("r", i)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (slow.Next(&event)) {
  }
  EXPECT_EQ(slow.Finish().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace trainyard::coordinator
