#include "rollout/sampling_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace trainyard::rollout {
namespace {

using testing::HasSubstr;

SamplingParameters Parameters() {
  SamplingParameters p;
  p.max_new_tokens = 8;
  return p;
}

TEST(SamplingParametersTest, WrongParametersNameTheField) {
  const auto message = [](auto change) {
    SamplingParameters p = Parameters();
    change(p);
    const absl::Status status = ValidateSampling(p, 100);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message([](auto& p) { p.temperature = -1; }), HasSubstr("temperature"));
  EXPECT_THAT(message([](auto& p) { p.temperature = std::nan(""); }), HasSubstr("temperature"));
  EXPECT_THAT(message([](auto& p) { p.temperature = 1e-6; }), HasSubstr("temperature"));
  EXPECT_THAT(message([](auto& p) { p.top_k = -1; }), HasSubstr("top_k"));
  EXPECT_THAT(message([](auto& p) { p.top_p = 0; }), HasSubstr("top_p"));
  EXPECT_THAT(message([](auto& p) { p.temperature = 0, p.top_p = 0.5; }), HasSubstr("top_p"));
  EXPECT_THAT(message([](auto& p) { p.temperature = 0, p.top_k = 4; }), HasSubstr("top_k"));
  EXPECT_THAT(message([](auto& p) { p.max_new_tokens = 0; }), HasSubstr("max_new_tokens"));
  EXPECT_THAT(message([](auto& p) { p.min_new_tokens = 9; }), HasSubstr("min_new_tokens"));
  EXPECT_THAT(message([](auto& p) { p.forbidden_ids = {100}; }), HasSubstr("forbidden_ids"));
  EXPECT_THAT(message([](auto& p) { p.end_ids = {-1}; }), HasSubstr("end_ids"));
  EXPECT_THAT(message([](auto& p) { p.stop_strings = {""}; }), HasSubstr("stop_strings"));
  EXPECT_THAT(message([](auto& p) { p.top_logprobs = 65; }), HasSubstr("top_logprobs"));
  EXPECT_THAT(message([](auto& p) { p.min_p = 1.5; }), HasSubstr("min_p"));
  EXPECT_THAT(message([](auto& p) { p.temperature = 0, p.min_p = 0.5; }), HasSubstr("min_p"));
  EXPECT_THAT(message([](auto& p) { p.typical_p = 0; }), HasSubstr("typical_p"));
  EXPECT_THAT(message([](auto& p) { p.temperature = 0, p.typical_p = 0.5; }),
              HasSubstr("typical_p"));
  EXPECT_THAT(message([](auto& p) { p.repetition_penalty = 0; }), HasSubstr("repetition_penalty"));
  EXPECT_THAT(message([](auto& p) { p.presence_penalty = std::nan(""); }),
              HasSubstr("presence_penalty"));
  EXPECT_THAT(message([](auto& p) { p.frequency_penalty = -101; }), HasSubstr("frequency_penalty"));
  EXPECT_THAT(message([](auto& p) { p.logit_bias = {{100, 1}}; }), HasSubstr("logit_bias is 100"));
  EXPECT_THAT(message([](auto& p) { p.logit_bias = {{7, 1}, {7, 2}}; }),
              HasSubstr("logit_bias is 7: the token is given twice"));
  EXPECT_THAT(message([](auto& p) { p.logit_bias = {{7, INFINITY}}; }),
              HasSubstr("logit_bias[7] is inf"));
  EXPECT_THAT(message([](auto& p) { p.allowed_ids = {-1}; }), HasSubstr("allowed_ids"));
  EXPECT_THAT(message([](auto& p) { p.best_of = -1; }), HasSubstr("best_of"));
  EXPECT_THAT(message([](auto& p) { p.best_of = 2, p.temperature = 0; }), HasSubstr("best_of"));
  EXPECT_TRUE(ValidateSampling(Parameters(), 100).ok());
}

TEST(SamplingParametersTest, AMaskMustLeaveATokenAtEveryPosition) {
  SamplingParameters p = Parameters();
  p.allowed_ids = {3, 4};
  p.forbidden_ids = {3};
  p.end_ids = {4};
  EXPECT_TRUE(ValidateSampling(p, 100).ok());
  p.min_new_tokens = 1;
  EXPECT_THAT(std::string(ValidateSampling(p, 100).message()),
              HasSubstr("allowed_ids leave no token"));
}

TEST(SamplingParametersTest, ABeamSearchDrawsNothing) {
  const auto message = [](auto change) {
    SamplingParameters p = Parameters();
    p.beam.width = 3;
    change(p);
    return std::string(ValidateSampling(p, 100).message());
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_EQ(message([](auto& p) { p.temperature = 0; }), "");
  EXPECT_EQ(message([](auto& p) { p.top_k = 1, p.best_of = 1; }), "");
  EXPECT_THAT(message([](auto& p) { p.beam.width = 1; }), HasSubstr("beam.width is 1"));
  EXPECT_THAT(message([](auto& p) { p.beam.width = 65; }), HasSubstr("beam.width is 65"));
  EXPECT_THAT(message([](auto& p) { p.beam.length_penalty = std::nan(""); }),
              HasSubstr("beam.length_penalty"));
  EXPECT_THAT(message([](auto& p) { p.temperature = 0.5; }), HasSubstr("temperature is 0.5"));
  EXPECT_THAT(message([](auto& p) { p.top_k = 2; }), HasSubstr("top_k"));
  EXPECT_THAT(message([](auto& p) { p.top_p = 0.5; }), HasSubstr("top_p"));
  EXPECT_THAT(message([](auto& p) { p.min_p = 0.5; }), HasSubstr("min_p"));
  EXPECT_THAT(message([](auto& p) { p.typical_p = 0.5; }), HasSubstr("typical_p"));
  EXPECT_THAT(message([](auto& p) { p.best_of = 3; }), HasSubstr("best_of"));
  EXPECT_THAT(message([](auto& p) { p.top_logprobs = 3; }), HasSubstr("top_logprobs"));
}

TEST(SamplingParametersTest, WhatIsDrawnIsAtLeastWhatIsGiven) {
  SamplingParameters p = Parameters();
  EXPECT_EQ(Drawn(p, 3), 3);
  p.best_of = 5;
  EXPECT_EQ(Drawn(p, 3), 5);
  p.best_of = 0;
  p.beam.width = 4;
  EXPECT_EQ(Drawn(p, 3), 4);
}

}  // namespace
}  // namespace trainyard::rollout
