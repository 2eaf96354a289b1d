#include "rollout/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace trainyard::rollout {
namespace {

using testing::HasSubstr;

SamplingParameters Parameters() {
  SamplingParameters p;
  p.max_new_tokens = 8;
  return p;
}

std::vector<float> TestLogits(int size, double spread = 2) {
  const CounterRandom random(DeriveKey(3, "sampling test"));
  std::vector<float> logits(size);
  for (int i = 0; i < size; ++i) {
    logits[i] = static_cast<float>(spread * (2 * random.UniformDouble(i) - 1));
  }
  return logits;
}

// The distribution by its definition, in double: mask, temperature, softmax, top-k, then top-p of
// what is left.
std::vector<double> Exact(std::vector<float> logits, const SamplingParameters& p, int position) {
  for (int32_t id : p.forbidden_ids) logits[id] = -INFINITY;
  if (position < p.min_new_tokens) {
    for (int32_t id : p.end_ids) logits[id] = -INFINITY;
  }
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  std::vector<double> mass(logits.size());
  for (size_t i = 0; i < mass.size(); ++i) {
    mass[i] = std::exp((logits[i] - logits[order[0]]) / p.temperature);
  }
  if (p.top_k > 0) {
    for (size_t i = p.top_k; i < order.size(); ++i) mass[order[i]] = 0;
  }
  const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
  double kept = 0;
  for (int id : order) {
    if (kept >= p.top_p * total) mass[id] = 0;
    kept += mass[id];
  }
  const double sum = std::accumulate(mass.begin(), mass.end(), 0.0);
  for (double& m : mass) m /= sum;
  return mass;
}

// Pearson's statistic of 20,000 draws against the exact probabilities must be believable: with d
// degrees of freedom it is below d + 5 sqrt(2 d) with a chance of about 1e-6 to fail.
void ExpectDrawsFollow(const SamplingParameters& p, int vocabulary) {
  const std::vector<float> logits = TestLogits(vocabulary);
  const std::vector<double> exact = Exact(logits, p, 0);
  Sampler sampler(kernels::BestFp32Kernels(), vocabulary);
  constexpr int kDraws = 20000;
  std::vector<int> counts(vocabulary);
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> row = logits;
    const auto choice = sampler.Choose(p, {11, i, 0, 0}, row.data());
    ASSERT_TRUE(choice.ok());
    ++counts[choice->id];
    ASSERT_NEAR(std::exp(double{choice->logprob} - choice->log_kept_mass), exact[choice->id], 1e-5);
  }
  double statistic = 0;
  int categories = 0;
  for (int id = 0; id < vocabulary; ++id) {
    if (exact[id] == 0) {
      ASSERT_EQ(counts[id], 0) << id;
      continue;
    }
    const double expected = exact[id] * kDraws;
    statistic += (counts[id] - expected) * (counts[id] - expected) / expected;
    ++categories;
  }
  const double freedom = categories - 1;
  EXPECT_LT(statistic, freedom + 5 * std::sqrt(2 * freedom));
}

TEST(Sampling, DrawsFollowTheSoftmax) { ExpectDrawsFollow(Parameters(), 300); }

TEST(Sampling, DrawsFollowTemperatureAndMask) {
  SamplingParameters p = Parameters();
  p.temperature = 0.7;
  p.forbidden_ids = {0, 1, 2, 290};
  p.end_ids = {3};
  p.min_new_tokens = 6;
  ExpectDrawsFollow(p, 300);
}

TEST(Sampling, DrawsFollowTopK) {
  SamplingParameters p = Parameters();
  p.top_k = 17;
  ExpectDrawsFollow(p, 300);
}

TEST(Sampling, DrawsFollowTopP) {
  SamplingParameters p = Parameters();
  p.top_p = 0.9;
  ExpectDrawsFollow(p, 300);
}

TEST(Sampling, DrawsFollowTopPOfWhatTopKLeft) {
  SamplingParameters p = Parameters();
  p.temperature = 1.3;
  p.top_k = 40;
  p.top_p = 0.5;
  ExpectDrawsFollow(p, 300);
}

TEST(Sampling, GreedyTakesTheLowestIdOfTheMostLikely) {
  SamplingParameters p = Parameters();
  p.temperature = 0;
  std::vector<float> logits = {1, 5, 2, 5, 0};
  Sampler sampler(kernels::BestFp32Kernels(), 5);
  const auto choice = sampler.Choose(p, {}, logits.data());
  EXPECT_EQ(choice->id, 1);
  p.forbidden_ids = {1};
  EXPECT_EQ(sampler.Choose(p, {}, logits.data())->id, 3);
}

TEST(Sampling, AGivenTokenScoresTheBitsItWasChosenWith) {
  SamplingParameters p = Parameters();
  p.temperature = 0.7;
  p.forbidden_ids = {5};
  p.end_ids = {9};
  p.min_new_tokens = 2;
  Sampler sampler(kernels::BestFp32Kernels(), 1000);
  for (int position = 0; position < 4; ++position) {
    std::vector<float> chosen = TestLogits(1000), scored = chosen;
    const auto choice = sampler.Choose(p, {1, 2, 3, position}, chosen.data());
    EXPECT_EQ(choice->logprob, *sampler.Score(p, position, choice->id, scored.data()));
    EXPECT_EQ(std::isinf(*sampler.Score(p, position, 9, scored.data())), position < 2);
    EXPECT_EQ(*sampler.Score(p, position, 5, scored.data()), -INFINITY);
  }
}

TEST(Sampling, TopLogprobsAreTheMostLikelyInOrder) {
  SamplingParameters p = Parameters();
  p.top_logprobs = 5;
  std::vector<float> logits = TestLogits(700);
  const std::vector<double> exact = Exact(logits, p, 0);
  Sampler sampler(kernels::BestFp32Kernels(), 700);
  const auto choice = sampler.Choose(p, {}, logits.data());
  ASSERT_EQ(choice->top.size(), 5u);
  EXPECT_EQ(choice->top[0].id, std::max_element(exact.begin(), exact.end()) - exact.begin());
  for (int i = 0; i < 5; ++i) {
    EXPECT_NEAR(std::exp(choice->top[i].logprob), exact[choice->top[i].id], 1e-6);
    if (i > 0) {
      EXPECT_LE(choice->top[i].logprob, choice->top[i - 1].logprob);
    }
  }
}

TEST(Sampling, DrawsAreAFunctionOfSeedRowSampleAndPosition) {
  const DrawKey key = {1, 2, 3, 4};
  const double draw = DrawUniform(key);
  EXPECT_EQ(draw, DrawUniform(key));
  for (const DrawKey& other : {DrawKey{2, 2, 3, 4}, DrawKey{1, 3, 3, 4}, DrawKey{1, 2, 4, 4},
                               DrawKey{1, 2, 3, 5}}) {
    EXPECT_NE(draw, DrawUniform(other));
  }
}

TEST(Sampling, LogitsThatAreNotFiniteAreAnError) {
  Sampler sampler(kernels::BestFp32Kernels(), 4);
  std::vector<float> nan = {0, std::numeric_limits<float>::quiet_NaN(), 0, 0};
  EXPECT_EQ(sampler.Choose(Parameters(), {}, nan.data()).status().code(),
            absl::StatusCode::kInternal);
  SamplingParameters p = Parameters();
  p.forbidden_ids = {0, 1, 2, 3};
  std::vector<float> logits(4);
  EXPECT_THAT(std::string(sampler.Choose(p, {}, logits.data()).status().message()),
              HasSubstr("every token is forbidden"));
}

TEST(Sampling, WrongParametersNameTheField) {
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
  EXPECT_TRUE(ValidateSampling(Parameters(), 100).ok());
}

}  // namespace
}  // namespace trainyard::rollout
