#include "rollout/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rollout/server_fixture.h"

namespace trainyard::rollout {
namespace {

using ::testing::HasSubstr;

using RolloutServiceTest = ServerFixture;

TEST_F(RolloutServiceTest, TrajectoriesHoldPromptAnswerSpansAndLogprobs) {
  v1::GenerateRequest request = Request(3, 2, 6);
  request.mutable_sampling()->set_top_logprobs(2);
  const auto trajectories = Generate(request);
  ASSERT_TRUE(trajectories.ok()) << trajectories.status();
  ASSERT_EQ(trajectories->size(), 6u);
  const v1::Trajectory& t = trajectories->at({102, 1});
  ASSERT_EQ(t.token_ids_size(), 5 + 6);
  EXPECT_EQ(t.token_ids(1), 15);
  ASSERT_EQ(t.spans_size(), 2);
  EXPECT_EQ(t.spans(0).source(), v1::Span::PROMPT);
  EXPECT_EQ(t.spans(1).begin(), 5);
  EXPECT_EQ(t.spans(1).end(), 11);
  EXPECT_EQ(t.spans(1).source(), v1::Span::MODEL);
  EXPECT_TRUE(t.spans(1).train());
  EXPECT_EQ(t.logprobs_size(), 6);
  EXPECT_EQ(t.top_logprobs_size(), 6);
  EXPECT_EQ(t.finish(), v1::FINISH_LENGTH);
}

TEST_F(RolloutServiceTest, ANewServerGivesTheSameTokensAndAnotherVersionOthers) {
  const auto first = Generate(Request(4, 2, 20));
  Start();
  const auto again = Generate(Request(4, 2, 20));
  ASSERT_TRUE(first.ok() && again.ok());
  for (const auto& [sample, trajectory] : *first) {
    EXPECT_EQ(trajectory.SerializeAsString(), again->at(sample).SerializeAsString());
  }
  const FakeWeightsService learner(Publish(TinyLlama(), 2, 1), true);
  ASSERT_TRUE(Load(learner.Manifest()).ok());
  const auto other = Generate(Request(4, 2, 20));
  EXPECT_NE(first->begin()->second.SerializeAsString(),
            other->begin()->second.SerializeAsString());
  EXPECT_EQ(other->begin()->second.spans(1).policy_version(), 1);
}

TEST_F(RolloutServiceTest, WeightsComeThroughSharedMemoryOrInAStreamWithTheSameResult) {
  const FakeWeightsService sharing(Publish(TinyLlama(), 2, 1), true);
  ASSERT_TRUE(Load(sharing.Manifest()).ok());
  EXPECT_EQ(sharing.streamed_bytes(), 0);
  const auto shared = Generate(Request(2, 1, 20));
  Start();
  const FakeWeightsService streaming(Publish(TinyLlama(), 2, 1), false);
  ASSERT_TRUE(Load(streaming.Manifest()).ok());
  EXPECT_GT(streaming.streamed_bytes(), 0);
  const auto streamed = Generate(Request(2, 1, 20));
  for (const auto& [sample, trajectory] : *shared) {
    EXPECT_EQ(trajectory.SerializeAsString(), streamed->at(sample).SerializeAsString());
  }
}

TEST_F(RolloutServiceTest, AFlippedByteIsRefusedAndTheOldVersionKeepsServing) {
  for (const bool shared : {true, false}) {
    FakeWeightsService learner(Publish(TinyLlama(), 2, 1), shared);
    learner.FlipByte(5000);
    const auto loaded = Load(learner.Manifest());
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("checksum"));
    EXPECT_EQ(Version(), 0);
    EXPECT_TRUE(Generate(Request(1, 1, 3)).ok());
    if (shared) continue;
    learner.FlipByte(5000);
    EXPECT_TRUE(Load(learner.Manifest()).ok());
    EXPECT_EQ(Version(), 1);
  }
}

TEST_F(RolloutServiceTest, AVersionIsAcknowledgedAgainButNeverGoesBack) {
  const FakeWeightsService second(Publish(TinyLlama(), 2, 2), true);
  const FakeWeightsService first(Publish(TinyLlama(), 3, 1), true);
  ASSERT_TRUE(Load(second.Manifest()).ok());
  const int calls = second.shared_calls();
  EXPECT_TRUE(Load(second.Manifest()).ok());
  EXPECT_EQ(second.shared_calls(), calls);
  EXPECT_EQ(Load(first.Manifest()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Version(), 2);
}

TEST_F(RolloutServiceTest, ALearnerThatIsGoneLeavesTheOldVersionServing) {
  v1::WeightsManifest manifest;
  {
    const FakeWeightsService learner(Publish(TinyLlama(), 2, 1), false);
    manifest = learner.Manifest();
  }
  EXPECT_FALSE(Load(manifest).ok());
  EXPECT_EQ(Version(), 0);
  EXPECT_TRUE(Generate(Request(1, 1, 3)).ok());
}

TEST_F(RolloutServiceTest, AnotherPolicyVersionThanAskedForIsRefused) {
  v1::GenerateRequest request = Request(1, 1, 3);
  request.set_policy_version(4);
  EXPECT_EQ(Generate(request).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RolloutServiceTest, BadRequestsNameTheField) {
  v1::GenerateRequest request = Request(1, 1, 3);
  request.mutable_sampling()->set_top_p(1.5);
  EXPECT_THAT(std::string(Generate(request).status().message()), HasSubstr("sampling.top_p"));
  request = Request(1, 1, 3);
  request.mutable_sampling()->add_stop_strings("x");
  EXPECT_THAT(std::string(Generate(request).status().message()), HasSubstr("tokenizer"));
  EXPECT_THAT(std::string(Generate(v1::GenerateRequest()).status().message()),
              HasSubstr("prompts is empty"));
}

TEST_F(RolloutServiceTest, ScoresAreTheBitsOfGeneration) {
  const auto trajectories = Generate(Request(2, 1, 10));
  v1::ScoreTokensRequest request;
  request.set_policy_version(-1);
  request.set_temperature(0.8);
  for (const auto& [sample, trajectory] : *trajectories) {
    v1::TokenSequence* sequence = request.add_sequences();
    *sequence->mutable_token_ids() = trajectory.token_ids();
    sequence->set_begin(trajectory.spans(1).begin());
  }
  const auto scores = rpc::Call(*stub_, &v1::RolloutService::Stub::Score, request, {});
  ASSERT_TRUE(scores.ok()) << scores.status();
  int i = 0;
  for (const auto& [sample, trajectory] : *trajectories) {
    const auto& logprobs = scores->scores(i++).logprobs();
    EXPECT_EQ(std::vector<float>(logprobs.begin(), logprobs.end()),
              std::vector<float>(trajectory.logprobs().begin(), trajectory.logprobs().end()));
  }
}

// The tokens of each sample, in order, all before its trajectory.
TEST_F(RolloutServiceTest, AStreamTellsTokensBeforeTheirTrajectory) {
  v1::GenerateRequest request = Request(3, 2, 12);
  const auto whole = Generate(request);
  ASSERT_TRUE(whole.ok()) << whole.status();
  request.set_stream(true);
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = absl::Seconds(30)}, &context);
  const auto reader = stub_->Generate(&context, request);
  std::map<Sample, std::vector<int32_t>> told;
  int ended = 0;
  v1::GenerateResponse response;
  while (reader->Read(&response)) {
    if (response.has_delta()) {
      auto& ids = told[{response.delta().row(), response.delta().sample()}];
      ids.insert(ids.end(), response.delta().token_ids().begin(),
                 response.delta().token_ids().end());
      continue;
    }
    const v1::Trajectory& trajectory = response.trajectory();
    const Sample sample = {trajectory.row(), trajectory.sample()};
    EXPECT_EQ(trajectory.SerializeAsString(), whole->at(sample).SerializeAsString());
    EXPECT_EQ(told[sample], std::vector<int32_t>(trajectory.token_ids().end() - 12,
                                                 trajectory.token_ids().end()));
    ++ended;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(ended, 6);
}

TEST_F(RolloutServiceTest, BeamsAndBestOfGiveTheirBestAlone) {
  v1::GenerateRequest request = Request(2, 2, 8);
  request.mutable_sampling()->set_best_of(5);
  EXPECT_EQ(Generate(request)->size(), 4u);
  request.mutable_sampling()->set_best_of(0);
  request.mutable_sampling()->set_temperature(1);
  request.mutable_sampling()->mutable_beam()->set_width(4);
  const auto beams = Generate(request);
  ASSERT_TRUE(beams.ok()) << beams.status();
  EXPECT_EQ(beams->size(), 4u);
  EXPECT_EQ(beams->at({100, 1}).spans_size(), 2);
  request.set_stream(true);
  EXPECT_THAT(std::string(Generate(request).status().message()),
              HasSubstr("stream is set beside sampling.beam"));
}

TEST_F(RolloutServiceTest, ACancelledCallFreesItsBlocks) {
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = absl::Seconds(30)}, &context);
  const auto reader = stub_->Generate(&context, Request(40, 6, 100));
  v1::GenerateResponse response;
  context.TryCancel();
  while (reader->Read(&response)) {
  }
  reader->Finish();
  EXPECT_TRUE(trainyard::testing::WaitUntil(absl::Seconds(20), [&] {
    const auto load =
        rpc::Call(*stub_, &v1::RolloutService::Stub::GetLoad, v1::GetLoadRequest(), {});
    return load.ok() && load->running_sequences() == 0 && load->queued_sequences() == 0 &&
           load->free_blocks() == load->total_blocks();
  }));
}

TEST_F(RolloutServiceTest, ADrainedServerSaysSo) {
  v1::DrainRequest drain;
  drain.set_deadline_seconds(5);
  const auto drained = rpc::Call(*stub_, &v1::RolloutService::Stub::Drain, drain, {});
  ASSERT_TRUE(drained.ok());
  EXPECT_EQ(drained->aborted_sequences(), 0);
  EXPECT_EQ(Generate(Request(1, 1, 3)).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace trainyard::rollout
