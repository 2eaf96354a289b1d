#include "rollout/request_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rollout/tiny_model.h"

namespace trainyard::rollout {
namespace {

using testing::HasSubstr;

class RequestChecksTest : public testing::Test {
 protected:
  RequestChecksTest() {
    request_.prompt_ids = {1, 2, 3};
    request_.sampling.max_new_tokens = 20;
  }
  std::string Refusal(void (*change)(GenerateRequest&)) const {
    GenerateRequest request = request_;
    change(request);
    const absl::Status status = CheckGenerate(request, limits_);
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  const model::ModelConfig config_ = TinyLlama();
  const EngineLimits limits_ = {config_, 8, 12, false};
  GenerateRequest request_;
};

TEST_F(RequestChecksTest, SamplesBeamsAndStreamsHaveTheirLimits) {
  EXPECT_EQ(Refusal([](auto&) {}), "");
  EXPECT_THAT(Refusal([](auto& r) { r.n = 9; }), HasSubstr("n is 9: must be in 1..8"));
  EXPECT_THAT(Refusal([](auto& r) { r.n = 3, r.sampling.best_of = 2; }),
              HasSubstr("sampling.best_of is 2: must be in n (3)..8"));
  EXPECT_THAT(Refusal([](auto& r) { r.sampling.best_of = 9; }), HasSubstr("best_of is 9"));
  EXPECT_THAT(Refusal([](auto& r) { r.n = 3, r.sampling.beam.width = 2; }),
              HasSubstr("sampling.beam.width is 2: must be in n (3)..8"));
  EXPECT_EQ(Refusal([](auto& r) { r.sampling.beam.width = 4; }), "");
  EXPECT_THAT(Refusal([](auto& r) { r.sampling.beam.width = 5; }),
              HasSubstr("the request needs 15 cache blocks of 16 tokens, there are 12"));
  EXPECT_EQ(Refusal([](auto& r) { r.stream = true, r.n = 2, r.sampling.best_of = 2; }), "");
  EXPECT_THAT(Refusal([](auto& r) { r.stream = true, r.sampling.best_of = 2; }),
              HasSubstr("stream is set beside sampling.best_of"));
  EXPECT_THAT(Refusal([](auto& r) { r.stream = true, r.n = r.sampling.beam.width = 2; }),
              HasSubstr("stream is set beside sampling.beam"));
  EXPECT_THAT(Refusal([](auto& r) { r.sampling.stop_strings = {"x"}; }), HasSubstr("tokenizer"));
}

TEST_F(RequestChecksTest, TheContextLimitsNewTokens) {
  EXPECT_EQ(MostNewTokens(request_, config_), 20);
  request_.prompt_ids.resize(120);
  EXPECT_EQ(MostNewTokens(request_, config_), 8);
}

TEST_F(RequestChecksTest, ScoringTakesOneTokenMoreThanTheContext) {
  ScoreRequest score;
  score.sampling.max_new_tokens = 1;
  score.token_ids.resize(129);
  EXPECT_TRUE(CheckScore(score, limits_).ok());
  score.token_ids[3] = 97;
  EXPECT_THAT(std::string(CheckScore(score, limits_).message()), HasSubstr("token_ids[3] is 97"));
  score.token_ids.resize(130);
  EXPECT_THAT(std::string(CheckScore(score, limits_).message()), HasSubstr("context is 128"));
}

}  // namespace
}  // namespace trainyard::rollout
