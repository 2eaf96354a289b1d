#include "eval/rollout_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;

class RolloutClientTest : public EvalTest {
 protected:
  RolloutClientTest() : rollout_(*tokenizer_, "ok") {
    Serve("rollout", 0, &rollout_);
    client_ = std::make_unique<RolloutClient>(session_.Peers().peers[0].endpoint, kTestFence);
    sampling_.samples = 2;
    sampling_.max_new_tokens = 8;
  }
  FakeRollout rollout_;
  std::unique_ptr<RolloutClient> client_;
  Sampling sampling_;
  const std::vector<int32_t> prompt_ = {1, 40, 2};
};

TEST_F(RolloutClientTest, AnswersComeBackWithoutTheirPrompt) {
  std::vector<DrawnAnswer> drawn;
  const absl::Status status =
      client_->Generate({{0, &prompt_}, {5, &prompt_}}, sampling_, {absl::Seconds(30)},
                        [&](DrawnAnswer answer) { drawn.push_back(std::move(answer)); });
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(drawn.size(), 4);
  EXPECT_EQ(drawn[2].row, 5);
  EXPECT_EQ(drawn[1].sample, 1);
  EXPECT_EQ(drawn[0].answer.token_ids.size(), 4);  // " ok" and the end
  EXPECT_EQ(drawn[0].answer.logprob, -4);
  EXPECT_EQ(drawn[0].answer.finish, Finish::kEnd);
}

TEST_F(RolloutClientTest, EveryFieldOfSamplingIsTold) {
  sampling_.min_p = 0.1;
  sampling_.typical_p = 0.2;
  sampling_.repetition_penalty = 1.3;
  sampling_.presence_penalty = 0.4;
  sampling_.frequency_penalty = 0.5;
  sampling_.logit_bias = {{6, -7}};
  sampling_.allowed_ids = {8};
  sampling_.best_of = 9;
  sampling_.beam = {3, -0.5, "first"};
  ASSERT_TRUE(client_
                  ->Generate({{0, &prompt_}}, sampling_, {absl::Seconds(30)}, [](DrawnAnswer) {})
                  .ok());
  const v1::SamplingParameters wire = rollout_.sampling();
  EXPECT_EQ(wire.min_p(), 0.1);
  EXPECT_EQ(wire.typical_p(), 0.2);
  EXPECT_EQ(wire.repetition_penalty(), 1.3);
  EXPECT_EQ(wire.presence_penalty(), 0.4);
  EXPECT_EQ(wire.frequency_penalty(), 0.5);
  EXPECT_EQ(wire.logit_bias(0).token_id(), 6);
  EXPECT_EQ(wire.logit_bias(0).bias(), -7);
  EXPECT_EQ(wire.allowed_ids(0), 8);
  EXPECT_EQ(wire.best_of(), 9);
  EXPECT_EQ(wire.beam().width(), 3);
  EXPECT_EQ(wire.beam().length_penalty(), -0.5);
  EXPECT_EQ(wire.beam().early_stopping(), v1::BeamSearch::FIRST);
}

TEST_F(RolloutClientTest, AStreamThatEndsEarlyIsUnavailableAndKeepsWhatCame) {
  rollout_.answers_left = 3;
  rollout_.failure = grpc::Status::OK;
  int drawn = 0;
  EXPECT_EQ(client_
                ->Generate({{0, &prompt_}, {1, &prompt_}}, sampling_, {absl::Seconds(30)},
                           [&](DrawnAnswer) { ++drawn; })
                .code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(drawn, 3);
}

TEST_F(RolloutClientTest, ACancelledScopeEndsTheCall) {
  CancelScope scope;
  scope.Cancel();
  EXPECT_EQ(
      client_->Generate({{0, &prompt_}}, sampling_, {absl::Seconds(30), &scope}, [](DrawnAnswer) {})
          .code(),
      absl::StatusCode::kCancelled);
}

TEST_F(RolloutClientTest, ScoresAreSumsWithOrWithoutTheSamplingsMasks) {
  sampling_.forbidden_ids = {0};
  const std::vector<ScoredSequence> sequences = {{{1, 2, 3, 4}, 2}, {{1, 2}, 1}};
  EXPECT_THAT(*client_->Score(sequences, nullptr, absl::Seconds(30)), ElementsAre(-0.5, -0.25));
  EXPECT_THAT(*client_->Score(sequences, &sampling_, absl::Seconds(30)), ElementsAre(-1.0, -0.5));
  sampling_.presence_penalty = 1;
  EXPECT_THAT(std::string(client_->Score(sequences, &sampling_, absl::Seconds(30))
                              .status()
                              .message()),
              testing::HasSubstr("sampling.presence_penalty is set"));
}

}  // namespace
}  // namespace trainyard::eval
