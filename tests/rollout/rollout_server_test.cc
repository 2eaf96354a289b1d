#include "rollout/rollout_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "tests/rollout/server_fixture.h"
#include "tests/support/byte_tokenizer.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::rollout {
namespace {

using ::testing::HasSubstr;

using RolloutServerTest = ServerFixture;

TEST_F(RolloutServerTest, WithAFenceOnlyItsJobIsServed) {
  options_.fence = rpc::JobFence{"job", 3, std::string(64, 'a')};
  Start();
  EXPECT_EQ(Generate(Request(1, 1, 3)).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RolloutServerTest, TheNumericsIdSaysTheComputeType) {
  EXPECT_THAT(server_->numerics_id(), ::testing::EndsWith("/fp32"));
  options_.bf16 = true;
  Start();
  EXPECT_THAT(server_->numerics_id(), ::testing::EndsWith("/bf16"));
  EXPECT_THAT(server_->numerics_id(), HasSubstr("-bf16/"));
  EXPECT_TRUE(Generate(Request(1, 1, 3)).ok());
}

TEST_F(RolloutServerTest, AStreamHasTheTextOfItsAnswer) {
  const auto tokenizer = trainyard::testing::ByteTokenizer();
  ASSERT_TRUE(tokenizer::SaveTokenizer(*tokenizer, {}, directory_.path()).ok());
  options_.tokenizer_directory = directory_.path();
  Start();
  v1::GenerateRequest request = Request(2, 2, 40);
  request.set_stream(true);
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = absl::Seconds(30)}, &context);
  const auto reader = stub_->Generate(&context, request);
  std::map<Sample, std::string> texts;
  int ended = 0;
  v1::GenerateResponse response;
  while (reader->Read(&response)) {
    if (response.has_delta()) {
      texts[{response.delta().row(), response.delta().sample()}] += response.delta().text();
      continue;
    }
    const v1::Trajectory& trajectory = response.trajectory();
    const std::vector<int32_t> answer(trajectory.token_ids().end() - 40,
                                      trajectory.token_ids().end());
    const std::string& text = texts[Sample(trajectory.row(), trajectory.sample())];
    EXPECT_EQ(text, tokenizer->Decode(answer, tokenizer::SpecialTokens::kSkip));
    EXPECT_EQ(text.size(), 40u);
    ++ended;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(ended, 4);
}

TEST(RolloutServer, ADirectoryWithoutAModelIsNamed) {
  const trainyard::testing::TempDir empty;
  RolloutServerOptions options;
  options.model_directory = empty.path();
  const auto server = RolloutServer::Start(options);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr(empty.path()));
}

// The binary itself: killed in the middle of its work and started again, it gives the same tokens.
TEST(RolloutServer, AKilledServerGivesTheSameTokensWhenItIsStartedAgain) {
  const trainyard::testing::TempDir directory;
  WriteModelDirectory(TinyLlama(), 1, directory.path());
  const int port = trainyard::testing::FreePort();
  const std::string address = absl::StrCat("127.0.0.1:", port);
  v1::GenerateRequest request;
  request.set_policy_version(-1);
  request.mutable_sampling()->set_temperature(1);
  request.mutable_sampling()->set_max_new_tokens(100);
  constexpr int kSamples = 128;  // far more than run at once: the kill meets work that waits
  for (int i = 0; i < 8; ++i) {
    request.add_prompts()->add_token_ids(i);
    request.mutable_prompts(i)->set_row(i);
    request.mutable_prompts(i)->set_n(kSamples);
  }
  std::map<std::string, std::string> tokens;  // by "row sample"
  for (const bool killed : {true, false}) {
    auto process = trainyard::testing::Process::Start(
        {.binary = "trainyard-rollout",
         .args = {"--model", directory.path(), "--listen", address}});
    ASSERT_TRUE(process.ok()) << process.status();
    const absl::Status ready = (*process)->WaitForOutput("ready at", absl::Seconds(30));
    ASSERT_TRUE(ready.ok()) << ready;
    const auto stub = v1::RolloutService::NewStub(
        rpc::OpenChannel(address, {.own_connection = true}));
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = absl::Seconds(30), .wait_for_ready = true}, &context);
    const auto reader = stub->Generate(&context, request);
    v1::GenerateResponse response;
    int read = 0;
    while (reader->Read(&response)) {
      const v1::Trajectory& t = response.trajectory();
      std::string& seen = tokens[absl::StrCat(t.row(), " ", t.sample())];
      if (!seen.empty()) {
        EXPECT_EQ(seen, t.SerializeAsString());
      }
      seen = t.SerializeAsString();
      if (++read == 3 && killed) (*process)->Kill();
    }
    EXPECT_EQ(reader->Finish().ok(), !killed);
  }
  EXPECT_EQ(tokens.size(), 8u * kSamples);
}

}  // namespace
}  // namespace trainyard::rollout
