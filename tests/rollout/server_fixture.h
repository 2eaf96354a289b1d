// A whole rollout server over real gRPC on a free port.

#ifndef TRAINYARD_TESTS_ROLLOUT_SERVER_FIXTURE_H_
#define TRAINYARD_TESTS_ROLLOUT_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "rollout/rollout_server.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "tests/rollout/fake_weights_service.h"
#include "tests/support/process.h"

namespace trainyard::rollout {

class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture() {
    WriteModelDirectory(TinyLlama(), 1, directory_.path());
    options_.model_directory = directory_.path();
    Start();
  }

  void Start() {
    server_.reset();
    auto server = RolloutServer::Start(options_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::RolloutService::NewStub(rpc::OpenChannel(server_->endpoint()));
  }

  static v1::GenerateRequest Request(int prompts, int n, int max_new_tokens) {
    v1::GenerateRequest request;
    request.set_policy_version(-1);
    request.set_seed(9);
    request.mutable_sampling()->set_temperature(0.8);
    request.mutable_sampling()->set_max_new_tokens(max_new_tokens);
    for (int i = 0; i < prompts; ++i) {
      v1::GeneratePrompt* prompt = request.add_prompts();
      prompt->set_row(100 + i);
      prompt->set_n(n);
      for (int t = 0; t < 3 + i; ++t) prompt->add_token_ids((7 * i + t) % 97);
    }
    return request;
  }

  using Sample = std::pair<int64_t, int32_t>;
  absl::StatusOr<std::map<Sample, v1::Trajectory>> Generate(const v1::GenerateRequest& request) {
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = absl::Seconds(30)}, &context);
    const auto reader = stub_->Generate(&context, request);
    std::map<Sample, v1::Trajectory> trajectories;
    v1::GenerateResponse response;
    while (reader->Read(&response)) {
      const v1::Trajectory& trajectory = response.trajectory();
      trajectories[{trajectory.row(), trajectory.sample()}] = trajectory;
    }
    const absl::Status status = rpc::FromGrpc(reader->Finish(), context);
    if (!status.ok()) return status;
    return trajectories;
  }

  absl::StatusOr<v1::LoadWeightsResponse> Load(const v1::WeightsManifest& manifest) {
    v1::LoadWeightsRequest request;
    *request.mutable_manifest() = manifest;
    return rpc::Call(*stub_, &v1::RolloutService::Stub::LoadWeights, request,
                     {.timeout = absl::Seconds(30)});
  }

  int64_t Version() {
    return rpc::Call(*stub_, &v1::RolloutService::Stub::GetVersion, v1::GetVersionRequest(), {})
        ->version();
  }

  const trainyard::testing::TempDir directory_;
  RolloutServerOptions options_;
  std::unique_ptr<RolloutServer> server_;
  std::unique_ptr<v1::RolloutService::Stub> stub_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_TESTS_ROLLOUT_SERVER_FIXTURE_H_
