#include "worker/policy_service.h"

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "base/checksum.h"
#include "base/host_token.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"
#include "tests/worker/learner_fixture.h"
#include "worker/policy_server.h"

namespace trainyard::worker {
namespace {

using Stub = v1::PolicyService::Stub;

// A learner of one rank behind its real server, served by a thread of its own.
class PolicyServiceTest : public testing::Test {
 protected:
  PolicyServiceTest() {
    thread_ = std::thread([this] {
      learner_ = SoleLearner(TinyOptions(checkpoint::DType::kF32), tiny_.models());
      server_ = *PolicyServer::Start({.advertise = "127.0.0.1", .fence = fence_}, learner_.get(),
                                     &compute_, &roots_);
      ready_.Notify();
      compute_.Serve([this] { return stop_.HasBeenNotified(); });
    });
    ready_.WaitForNotification();
    channel_ = rpc::OpenChannel(server_->endpoint());
    stub_ = v1::PolicyService::NewStub(channel_);
  }
  ~PolicyServiceTest() override {
    stop_.Notify();
    thread_.join();
    server_->Shutdown(absl::ZeroDuration());
  }

  rpc::CallOptions Options() const { return {.timeout = absl::Seconds(60), .fence = fence_}; }

  std::vector<v1::UpdateRequest> Requests(const UpdateInput& input) {
    std::vector<v1::UpdateRequest> requests(3);
    v1::UpdateBegin* const begin = requests[0].mutable_begin();
    begin->set_iteration(input.iteration);
    begin->set_base_version(input.base_version);
    begin->set_digest(input.digest);
    begin->set_beta(input.beta);
    begin->set_sample_count(static_cast<int>(input.trajectories.size()));
    for (const auto& minibatches : input.plan.passes) {
      v1::UpdatePass* const pass = begin->mutable_plan()->add_passes();
      for (const rl::Minibatch& minibatch : minibatches) {
        v1::UpdateMinibatch* const to = pass->add_minibatches();
        to->set_token_count(minibatch.trained_tokens);
        const rl::RowIndices& share = minibatch.shares[0];
        to->add_shares()->mutable_samples()->Add(share.begin(), share.end());
      }
    }
    for (const rl::Trajectory& trajectory : input.trajectories) {
      v1::Trajectory* const to = requests[1].mutable_trajectories()->add_trajectories();
      to->set_row(trajectory.row);
      to->mutable_token_ids()->Add(trajectory.token_ids.begin(), trajectory.token_ids.end());
      to->mutable_logprobs()->Add(trajectory.log_probs.begin(), trajectory.log_probs.end());
      to->mutable_log_kept_mass()->Add(trajectory.log_kept_mass.begin(),
                                       trajectory.log_kept_mass.end());
      for (const rl::Span& span : trajectory.spans) {
        v1::Span* const part = to->add_spans();
        part->set_begin(static_cast<int>(span.begin));
        part->set_end(static_cast<int>(span.end));
        part->set_source(span.train ? v1::Span::MODEL : v1::Span::PROMPT);
        part->set_train(span.train);
        part->set_policy_version(span.policy_version);
      }
      to->set_finish(trajectory.finish == rl::FinishReason::kStop ? v1::FINISH_END
                                                                  : v1::FINISH_LENGTH);
      to->set_score(trajectory.reward);
      to->set_score_status(v1::SCORE_OK);
    }
    requests[2].mutable_end();
    return requests;
  }

  absl::StatusOr<v1::UpdateResult> Update(const std::vector<v1::UpdateRequest>& requests,
                                          int* progress = nullptr) {
    grpc::ClientContext context;
    rpc::PrepareContext(Options(), &context);
    const auto stream = stub_->Update(&context);
    for (const v1::UpdateRequest& request : requests) stream->Write(request);
    stream->WritesDone();
    v1::UpdateResult result;
    v1::UpdateResponse response;
    while (stream->Read(&response)) {
      if (response.has_result()) result = response.result();
      if (response.has_progress() && progress != nullptr) ++*progress;
    }
    const absl::Status status = rpc::FromGrpc(stream->Finish(), context);
    if (!status.ok()) return status;
    return result;
  }

  absl::StatusOr<v1::WeightsManifest> Publish(int64_t version) {
    v1::PublishRequest request;
    request.set_version(version);
    return rpc::Call(*stub_, &Stub::Publish, request, Options());
  }

  TinyModels tiny_;
  const rpc::JobFence fence_ = {"job", 1, std::string(64, 'b')};
  const Roots roots_{{{"runs", tiny_.root()}}};
  ComputeQueue compute_;
  std::shared_ptr<Learner> learner_;
  std::unique_ptr<PolicyServer> server_;
  absl::Notification ready_, stop_;
  std::thread thread_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

TEST_F(PolicyServiceTest, AnUpdateReportsEachMinibatchAndARepeatGetsTheSameResult) {
  const auto requests = Requests(TinyUpdate(0, 9, 1));
  int progress = 0;
  const auto first = Update(requests, &progress);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(progress, 4);
  EXPECT_EQ(first->version(), 1);
  EXPECT_EQ(first->metrics().at("first_ratio_distance"), 0);
  const auto again = Update(requests);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->weights_digest(), first->weights_digest());
}

TEST_F(PolicyServiceTest, WhatArrivesOtherwiseThanAnnouncedIsRefused) {
  auto requests = Requests(TinyUpdate(0, 9, 1));
  requests[1].mutable_trajectories()->mutable_trajectories(0)->set_score(100);
  EXPECT_EQ(Update(requests).status().code(), absl::StatusCode::kDataLoss);
  requests = Requests(TinyUpdate(0, 9, 1));
  requests.pop_back();
  EXPECT_FALSE(Update(requests).ok());
  EXPECT_TRUE(Update(Requests(TinyUpdate(0, 9, 1))).ok());
}

TEST_F(PolicyServiceTest, ADigestThatDiffersIsNoNumberThatIsNotFinite) {
  auto requests = Requests(TinyUpdate(0, 9, 1));
  requests[1].mutable_trajectories()->mutable_trajectories(0)->set_score(100);
  EXPECT_FALSE(rpc::DetailOf(Update(requests).status()).has_value())
      << "the job would never be tried again";
}

TEST_F(PolicyServiceTest, PublishedBytesAreFetchedInChunksAndMatchTheirChecksums) {
  const auto manifest = Publish(0);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const auto weights = v1::WeightsService::NewStub(channel_);
  v1::FetchWeightsRequest request;
  std::map<int, std::string> bytes;
  {
    grpc::ClientContext context;
    rpc::PrepareContext(Options(), &context);
    const auto stream = weights->Fetch(&context, request);
    v1::WeightsChunk chunk;
    while (stream->Read(&chunk)) bytes[chunk.tensor()] += chunk.data();
    ASSERT_TRUE(stream->Finish().ok());
  }
  ASSERT_EQ(static_cast<int>(bytes.size()), manifest->tensors_size());
  for (const auto& [index, data] : bytes) {
    EXPECT_EQ(Xxh3Hex(data), manifest->tensors(index).xxh3());
  }
  v1::OpenSharedRequest open;
  open.set_host_token(*HostToken());
  const auto shared =
      rpc::Call(*weights, &v1::WeightsService::Stub::OpenShared, open, Options());
  ASSERT_TRUE(shared.ok()) << shared.status();
  open.set_host_token("another host");
  EXPECT_EQ(rpc::Call(*weights, &v1::WeightsService::Stub::OpenShared, open, Options())
                .status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(PolicyServiceTest, AReleasedVersionIsNotFound) {
  ASSERT_TRUE(Publish(0).ok());
  v1::ReleaseRequest release;
  ASSERT_TRUE(rpc::Call(*stub_, &Stub::Release, release, Options()).ok());
  const auto weights = v1::WeightsService::NewStub(channel_);
  grpc::ClientContext context;
  rpc::PrepareContext(Options(), &context);
  const auto stream = weights->Fetch(&context, v1::FetchWeightsRequest());
  v1::WeightsChunk chunk;
  while (stream->Read(&chunk)) ADD_FAILURE() << "a chunk of a released version";
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(PolicyServiceTest, AnotherEpochIsRefused) {
  rpc::CallOptions stale = Options();
  stale.fence->epoch = 0;
  EXPECT_EQ(rpc::Call(*stub_, &Stub::GetSpec, v1::GetPolicySpecRequest(), stale).status().code(),
            absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace trainyard::worker
