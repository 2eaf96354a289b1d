#include "cli/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "rpc/status.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kDemo[] = "name: demo\nfake: {steps: 3}\n";

std::string RemedyOf(const absl::Status& status) {
  const auto detail = rpc::DetailOf(status);
  return detail.has_value() ? detail->remedy : "none";
}

class ClientTest : public VerbTest {
 protected:
  Client client_{address()};
};

TEST(ClientAloneTest, NobodyAtTheAddressIsSaidWithinThePatience) {
  Client client(absl::StrCat("127.0.0.1:", testing::FreePort()), absl::Milliseconds(50));
  const absl::Time start = absl::Now();
  const absl::Status call = client.ListNodes().status();
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  EXPECT_EQ(call.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(RemedyOf(call), HasSubstr("trainyard up"));
  const absl::Status logs = client.Logs(v1::GetLogsRequest(), [](const v1::LogChunk&) {});
  EXPECT_EQ(logs.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(RemedyOf(logs), HasSubstr("--coordinator"));
}

TEST_F(ClientTest, EachSubmissionIsAJobOfItsOwn) {
  v1::JobSpec spec;
  spec.mutable_fake()->set_steps(3);
  const auto first = client_.Submit(spec, false);
  const auto second = client_.Submit(spec, false);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->id(), second->id());
  ASSERT_TRUE(client_.Submit(spec, /*validate_only=*/true).ok());
  EXPECT_EQ(client_.ListJobs(v1::ListJobsRequest())->jobs_size(), 2);
}

TEST_F(ClientTest, ANameIsTheJobElseThePipeline) {
  const std::string pipeline = Submit("name: line\nstages: [{name: first, fake: {steps: 1}}]\n");
  const auto by_name = client_.Find("line");
  ASSERT_TRUE(by_name.ok()) << by_name.status();
  EXPECT_EQ(std::get<v1::Pipeline>(*by_name).id(), pipeline);
  const std::string job = Submit("name: line\nfake: {steps: 3}\n");
  EXPECT_EQ(std::get<v1::Job>(*client_.Find("line")).id(), job);
  EXPECT_EQ(std::get<v1::Pipeline>(*client_.Find(pipeline)).id(), pipeline);
}

TEST_F(ClientTest, WhateverIsAskedOfAnUnknownJobNamesItAndWhereToLook) {
  v1::ListEventsRequest events;
  events.set_job("nobody");
  v1::GetMetricsRequest metrics;
  metrics.set_job("nobody");
  for (const absl::Status& status :
       {client_.Find("nobody").status(), client_.GetJob("nobody").status(),
        client_.GetPipeline("nobody").status(), client_.ListEvents(events).status(),
        client_.GetMetrics(metrics).status(), client_.Cancel("nobody", "").status(),
        client_.CancelPipeline("nobody", "").status(), client_.RetryPipeline("nobody").status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("nobody"));
    EXPECT_THAT(RemedyOf(status), HasSubstr("trainyard list shows"));
  }
}

TEST_F(ClientTest, AWatchBeginsWithTheJobsAndEndsWhenItsReaderHasSeenEnough) {
  const std::string id = Submit(kDemo);
  v1::WatchJobsRequest request;
  request.set_job(id);
  std::vector<std::string> seen;
  const absl::Status status =
      client_.Watch(request, absl::InfiniteFuture(), [&](const v1::WatchJobsEvent& event) {
        seen.push_back(event.job().id());
        return false;
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen, std::vector<std::string>{id});
}

TEST_F(ClientTest, AWatchEndsWithItsTime) {
  v1::WatchJobsRequest request;
  request.set_job(Submit(kDemo));
  const absl::Status status = client_.Watch(request, absl::Now() + absl::Milliseconds(50),
                                            [](const v1::WatchJobsEvent&) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ClientTest, TheClustersStatusCountsItsJobs) {
  Submit(kDemo);
  const auto status = client_.Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->jobs_by_state().at("QUEUED"), 1);
}

}  // namespace
}  // namespace trainyard::cli
