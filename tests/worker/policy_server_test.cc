#include "worker/policy_server.h"

#include <gtest/gtest.h>

#include <map>

#include "base/checksum.h"
#include "rpc/status.h"
#include "tests/worker/served_learner.h"
#include "trainyard/v1/weights.grpc.pb.h"

namespace trainyard::worker {
namespace {

using Stub = v1::PolicyService::Stub;

class PolicyServerTest : public ::testing::Test {
 protected:
  // The bytes of version 0 by tensor, fetched from the port that the policy serves on.
  absl::StatusOr<std::map<int, std::string>> FetchWeights() {
    const auto weights = v1::WeightsService::NewStub(served_.channel());
    grpc::ClientContext context;
    rpc::PrepareContext(served_.Options(), &context);
    const auto stream = weights->Fetch(&context, v1::FetchWeightsRequest());
    std::map<int, std::string> bytes;
    v1::WeightsChunk chunk;
    while (stream->Read(&chunk)) bytes[chunk.tensor()] += chunk.data();
    const absl::Status status = rpc::FromGrpc(stream->Finish(), context);
    if (!status.ok()) return status;
    return bytes;
  }
  absl::Status GetSpec(const rpc::CallOptions& options) {
    return rpc::Call(served_.stub(), &Stub::GetSpec, v1::GetPolicySpecRequest(), options)
        .status();
  }

  std::vector<std::pair<int64_t, int64_t>> progress_;  // iteration, minibatch
  ServedLearner served_{[this](int64_t iteration, const MinibatchProgress& step) {
    progress_.emplace_back(iteration, step.minibatch);
  }};
};

TEST_F(PolicyServerTest, WhatThePolicyServicePublishesTheWeightsServiceServes) {
  const auto manifest = served_.Publish(0);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  ASSERT_EQ(manifest->sources_size(), 1);
  EXPECT_EQ(manifest->sources(0), served_.server().endpoint());
  const auto bytes = FetchWeights();
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  ASSERT_EQ(static_cast<int>(bytes->size()), manifest->tensors_size());
  for (const auto& [index, data] : *bytes) {
    EXPECT_EQ(Xxh3Hex(data), manifest->tensors(index).xxh3());
  }
}

TEST_F(PolicyServerTest, AReleasedVersionIsNotServedAnyMore) {
  ASSERT_TRUE(served_.Publish(0).ok());
  const auto released =
      rpc::Call(served_.stub(), &Stub::Release, v1::ReleaseRequest(), served_.Options());
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_TRUE(absl::IsNotFound(FetchWeights().status()));
}

TEST_F(PolicyServerTest, SaysTheNumericsThatItWasStartedWith) {
  const auto spec = rpc::Call(served_.stub(), &Stub::GetSpec, v1::GetPolicySpecRequest(),
                              served_.Options());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->numerics_id(), "cpu");
}

TEST_F(PolicyServerTest, EveryMinibatchIsToldWithItsIteration) {
  for (int64_t iteration = 0; iteration < 2; ++iteration) {
    const auto result = served_.Update(ServedLearner::Requests(TinyUpdate(iteration, 9, 1)));
    ASSERT_TRUE(result.ok()) << result.status();
  }
  EXPECT_EQ(progress_, (std::vector<std::pair<int64_t, int64_t>>{
                           {0, 0}, {0, 1}, {0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 0}, {1, 1}}));
}

TEST_F(PolicyServerTest, AnotherEpochIsRefused) {
  rpc::CallOptions stale = served_.Options();
  stale.fence->epoch = 0;
  EXPECT_TRUE(absl::IsAborted(GetSpec(stale)));
}

TEST_F(PolicyServerTest, APortThatIsTakenIsUnavailable) {
  const PolicyServerOptions options = {.listen = served_.server().endpoint(),
                                       .fence = *served_.Options().fence};
  const auto second = PolicyServer::Start(options, served_.learner(), served_.compute(),
                                          served_.roots());
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
  EXPECT_TRUE(GetSpec(served_.Options()).ok()) << "who holds it goes on";
}

TEST_F(PolicyServerTest, AfterShutdownNothingIsServed) {
  auto second = *PolicyServer::Start({.fence = *served_.Options().fence}, served_.learner(),
                                     served_.compute(), served_.roots());
  const auto stub = v1::PolicyService::NewStub(rpc::OpenChannel(second->endpoint()));
  const auto ask = [&] {
    return rpc::Call(*stub, &Stub::GetSpec, v1::GetPolicySpecRequest(), served_.Options())
        .status();
  };
  EXPECT_TRUE(ask().ok());
  second->Shutdown(absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(ask()));
}

}  // namespace
}  // namespace trainyard::worker
