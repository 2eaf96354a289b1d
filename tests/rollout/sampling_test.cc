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

TokenHistory Tokens(absl::Span<const int32_t> prompt, absl::Span<const int32_t> answer) {
  return {prompt, answer};
}

absl::StatusOr<TokenChoice> ChooseOne(Sampler& sampler, const SamplingParameters& p,
                                      const DrawKey& draw, const TokenHistory& history,
                                      float* logits) {
  const auto choices = sampler.Choose(p, {draw}, history, logits);
  if (!choices.ok()) return choices.status();
  return choices->at(0);
}

// An answer of so many tokens 0.
TokenHistory After(int position) {
  static const std::vector<int32_t> zeros(64);
  return {{}, absl::MakeSpan(zeros).subspan(0, position)};
}

// Logits after bias, penalties and masks, in double, one token at a time.
std::vector<double> ExactLogits(const std::vector<float>& logits, const SamplingParameters& p,
                                const TokenHistory& history) {
  const auto holds = [](const auto& ids, int32_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  const bool early = static_cast<int>(history.answer_ids.size()) < p.min_new_tokens;
  std::vector<double> exact(logits.begin(), logits.end());
  for (int32_t id = 0; id < static_cast<int32_t>(exact.size()); ++id) {
    double& logit = exact[id];
    for (const TokenBias& token : p.logit_bias) logit += token.id == id ? token.bias : 0;
    if (holds(history.prompt_ids, id) || holds(history.answer_ids, id)) {
      logit *= logit < 0 ? p.repetition_penalty : 1 / p.repetition_penalty;
    }
    const auto times = std::count(history.answer_ids.begin(), history.answer_ids.end(), id);
    logit -= p.frequency_penalty * times + (times > 0 ? p.presence_penalty : 0);
    const bool allowed = p.allowed_ids.empty() || holds(p.allowed_ids, id);
    if (!allowed || holds(p.forbidden_ids, id) || (early && holds(p.end_ids, id))) {
      logit = -INFINITY;
    }
  }
  return exact;
}

double Sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::vector<double> Normalised(std::vector<double> mass) {
  const double sum = Sum(mass);
  for (double& m : mass) m /= sum;
  return mass;
}

// Keeps ids of `order` until they have `share` of the probability.
std::vector<double> FirstOf(const std::vector<int>& order, double share,
                            const std::vector<double>& probability) {
  std::vector<double> kept(probability.size());
  double sum = 0;
  for (int id : order) {
    if (sum >= share) break;
    kept[id] = probability[id];
    sum += probability[id];
  }
  return Normalised(kept);
}

template <typename Key>
std::vector<int> OrderBy(size_t size, const Key& key) {
  std::vector<int> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return key(a) < key(b); });
  return order;
}

// The distribution that is drawn from, by its definition.
std::vector<double> Exact(const std::vector<float>& logits, const SamplingParameters& p,
                          const TokenHistory& history) {
  const std::vector<double> changed = ExactLogits(logits, p, history);
  std::vector<double> probability(changed.size());
  for (size_t i = 0; i < changed.size(); ++i) probability[i] = std::exp(changed[i] / p.temperature);
  probability = Normalised(probability);
  const auto order =
      OrderBy(changed.size(), [&](int id) { return -probability[id]; });
  if (p.top_k > 0) {
    for (size_t i = p.top_k; i < order.size(); ++i) probability[order[i]] = 0;
    probability = Normalised(probability);
  }
  if (p.top_p < 1) probability = FirstOf(order, p.top_p, probability);
  const double least = p.min_p * probability[order[0]];
  for (double& each : probability) each = each < least ? 0 : each;
  probability = Normalised(probability);
  if (p.typical_p == 1) return probability;
  double entropy = 0;
  for (double each : probability) entropy -= each > 0 ? each * std::log(each) : 0;
  const auto typical = OrderBy(changed.size(), [&](int id) {
    return std::abs(-std::log(probability[id]) - entropy);
  });
  return FirstOf(typical, p.typical_p, probability);
}

// Pearson's statistic of draws beside the value that a right sampler exceeds with a chance of 1e-4
// (Wilson and Hilferty's cube root). Tokens expected less than 5 times count as one.
struct ChiSquare {
  double statistic = 0;
  double limit = 0;
  bool impossible = false;  // a token of no probability was drawn
};

ChiSquare Compare(const std::vector<int>& counts, const std::vector<double>& exact) {
  ChiSquare result;
  const int draws = std::accumulate(counts.begin(), counts.end(), 0);
  double rare_expected = 0, rare_count = 0;
  int categories = 0;
  const auto add = [&](double count, double expected) {
    result.statistic += (count - expected) * (count - expected) / expected;
    ++categories;
  };
  for (size_t id = 0; id < counts.size(); ++id) {
    const double expected = exact[id] * draws;
    result.impossible = result.impossible || (expected == 0 && counts[id] > 0);
    if (expected >= 5) {
      add(counts[id], expected);
    } else {
      rare_expected += expected;
      rare_count += counts[id];
    }
  }
  if (rare_expected > 0) add(rare_count, rare_expected);
  const double freedom = categories - 1, spread = 2 / (9 * freedom);
  result.limit = freedom * std::pow(1 - spread + 3.719 * std::sqrt(spread), 3);
  return result;
}

constexpr int kVocabulary = 300;
const std::vector<int32_t> kPrompt = {7, 8, 9, 9, 200, 250};
const std::vector<int32_t> kAnswer = {8, 11, 11, 11, 290, 250};

std::vector<int> Draw(const SamplingParameters& p, const std::vector<float>& logits) {
  Sampler sampler(kernels::BestFp32Kernels(), kVocabulary);
  const std::vector<double> exact = Exact(logits, p, Tokens(kPrompt, kAnswer));
  std::vector<int> counts(kVocabulary);
  for (int i = 0; i < 20000; ++i) {
    std::vector<float> row = logits;
    const auto choice = ChooseOne(sampler, p, {11, i, 0, 0}, Tokens(kPrompt, kAnswer), row.data());
    EXPECT_TRUE(choice.ok()) << choice.status();
    ++counts[choice->id];
    EXPECT_NEAR(std::exp(double{choice->logprob} - choice->log_kept_mass), exact[choice->id], 1e-5);
  }
  return counts;
}

void ExpectDrawsFollow(const SamplingParameters& p) {
  const std::vector<float> logits = TestLogits(kVocabulary);
  const std::vector<int> counts = Draw(p, logits);
  const ChiSquare result = Compare(counts, Exact(logits, p, Tokens(kPrompt, kAnswer)));
  EXPECT_FALSE(result.impossible);
  EXPECT_LT(result.statistic, result.limit);
}

// The same draws must not pass for those of `other`: else the test above says nothing.
void ExpectDrawsTellApart(const SamplingParameters& p, const SamplingParameters& other) {
  const std::vector<float> logits = TestLogits(kVocabulary);
  const ChiSquare result =
      Compare(Draw(p, logits), Exact(logits, other, Tokens(kPrompt, kAnswer)));
  EXPECT_TRUE(result.impossible || result.statistic > result.limit);
}

struct Setting {
  const char* name;
  void (*change)(SamplingParameters&);  // what the sampler is asked for
  void (*slip)(SamplingParameters&);    // and what it must not be taken for
};

class SamplingDraws : public testing::TestWithParam<Setting> {};

TEST_P(SamplingDraws, FollowTheExactDistribution) {
  SamplingParameters p = Parameters();
  GetParam().change(p);
  ExpectDrawsFollow(p);
  SamplingParameters other = p;
  GetParam().slip(other);
  ExpectDrawsTellApart(p, other);
}

INSTANTIATE_TEST_SUITE_P(
    Settings, SamplingDraws,
    testing::Values(
        Setting{"softmax", [](auto&) {}, [](auto& p) { p.temperature = 1.1; }},
        Setting{"temperature_and_masks",
                [](auto& p) {
                  p.temperature = 0.7;
                  p.forbidden_ids = {0, 1, 2, 290};
                  p.end_ids = {3, 11};
                  p.min_new_tokens = 7;
                },
                [](auto& p) { p.temperature = 0.76; }},
        Setting{"top_k", [](auto& p) { p.top_k = 17; }, [](auto& p) { p.top_k = 16; }},
        Setting{"top_p", [](auto& p) { p.top_p = 0.9; }, [](auto& p) { p.top_p = 0.89; }},
        Setting{"top_p_of_what_top_k_left",
                [](auto& p) { p.temperature = 1.3, p.top_k = 40, p.top_p = 0.5; },
                [](auto& p) { p.top_k = 0; }},
        Setting{"min_p", [](auto& p) { p.min_p = 0.3; }, [](auto& p) { p.min_p = 0.33; }},
        Setting{"min_p_of_what_is_allowed",
                [](auto& p) { p.min_p = 0.2, p.temperature = 0.8, p.forbidden_ids = {50, 51}; },
                [](auto& p) { p.min_p = 0.22; }},
        Setting{"typical_p", [](auto& p) { p.typical_p = 0.6; }, [](auto& p) { p.top_p = 0.6; }},
        Setting{"typical_p_of_nearly_all", [](auto& p) { p.typical_p = 0.97; },
                [](auto& p) { p.typical_p = 0.96; }},
        Setting{"all_cuts",
                [](auto& p) { p.top_k = 150, p.top_p = 0.9, p.min_p = 0.1, p.typical_p = 0.7; },
                [](auto& p) { p.typical_p = 0.67; }},
        Setting{"repetition_penalty", [](auto& p) { p.repetition_penalty = 0.4; },
                [](auto& p) { p.repetition_penalty = 1; }},
        Setting{"presence_and_frequency_penalty",
                [](auto& p) { p.presence_penalty = -1, p.frequency_penalty = -0.5; },
                [](auto& p) { p.presence_penalty = -1.5, p.frequency_penalty = 0; }},
        Setting{"logit_bias", [](auto& p) { p.logit_bias = {{5, 5}, {9, -100}, {8, 2.5}}; },
                [](auto& p) { p.logit_bias[0].bias = 4; }},
        Setting{"bias_before_penalty",
                [](auto& p) { p.logit_bias = {{8, 5}, {250, 4}}, p.repetition_penalty = 1.5; },
                [](auto& p) { p.logit_bias = {{8, 7.5}, {250, 6}}; }},
        Setting{"allowed", [](auto& p) { p.allowed_ids = {4, 8, 15, 16, 23, 42}; },
                [](auto& p) { p.allowed_ids.pop_back(); }}),
    [](const auto& setting) { return std::string(setting.param.name); });

TEST(Sampling, GreedyTakesTheLowestIdOfTheMostLikely) {
  SamplingParameters p = Parameters();
  p.temperature = 0;
  std::vector<float> logits = {1, 5, 2, 5, 0};
  Sampler sampler(kernels::BestFp32Kernels(), 5);
  const auto choice = ChooseOne(sampler, p, {}, {}, logits.data());
  EXPECT_EQ(choice->id, 1);
  p.forbidden_ids = {1};
  EXPECT_EQ(ChooseOne(sampler, p, {}, {}, logits.data())->id, 3);
}

TEST(Sampling, AGivenTokenScoresTheBitsItWasChosenWith) {
  SamplingParameters p = Parameters();
  p.temperature = 0.7;
  p.forbidden_ids = {5};
  p.end_ids = {9};
  p.min_new_tokens = 2;
  p.repetition_penalty = 1.3;
  p.presence_penalty = 0.2;
  p.frequency_penalty = 0.1;
  p.logit_bias = {{4, -1}};
  p.min_p = 0.1;
  Sampler sampler(kernels::BestFp32Kernels(), 1000);
  for (int position = 0; position < 4; ++position) {
    std::vector<float> chosen = TestLogits(1000), scored = chosen, end = chosen, never = chosen;
    const auto choice = ChooseOne(sampler, p, {1, 2, 3, position}, After(position), chosen.data());
    EXPECT_EQ(choice->logprob, *sampler.Score(p, After(position), choice->id, scored.data()));
    EXPECT_EQ(std::isinf(*sampler.Score(p, After(position), 9, end.data())), position < 2);
    EXPECT_EQ(*sampler.Score(p, After(position), 5, never.data()), -INFINITY);
  }
}

// Two rows one after the other: what the first left in the scratch memory does not matter.
TEST(Sampling, ARowIsForgottenBeforeTheNext) {
  SamplingParameters heavy = Parameters();
  heavy.repetition_penalty = 2;
  heavy.frequency_penalty = 1;
  heavy.typical_p = 0.5;
  heavy.allowed_ids = {1, 2, 3, 7, 8, 9};
  Sampler used(kernels::BestFp32Kernels(), kVocabulary);
  for (const bool light : {false, true}) {
    Sampler fresh(kernels::BestFp32Kernels(), kVocabulary);
    std::vector<float> first = TestLogits(kVocabulary), second = first, third = first;
    ASSERT_TRUE(ChooseOne(used, heavy, {}, Tokens(kPrompt, kAnswer), first.data()).ok());
    const SamplingParameters p = light ? Parameters() : heavy;
    const auto a = ChooseOne(used, p, {1}, Tokens(kAnswer, kPrompt), second.data());
    const auto b = ChooseOne(fresh, p, {1}, Tokens(kAnswer, kPrompt), third.data());
    EXPECT_EQ(a->id, b->id);
    EXPECT_EQ(a->logprob, b->logprob);
    EXPECT_EQ(a->log_kept_mass, b->log_kept_mass);
  }
}

TEST(Sampling, TypicalKeepsAllOfEqualTokens) {
  SamplingParameters p = Parameters();
  p.typical_p = 0.3;
  Sampler sampler(kernels::BestFp32Kernels(), 100);
  std::vector<float> logits(100, 1.5f);
  EXPECT_NEAR(ChooseOne(sampler, p, {}, {}, logits.data())->log_kept_mass, 0, 1e-6);
}

// The samples of a prompt read one row of logits.
TEST(Sampling, DrawsOfOneRowAreThoseOfTheSameRowAnew) {
  SamplingParameters p = Parameters();
  p.repetition_penalty = 1.5;
  p.logit_bias = {{8, 1}};
  p.top_k = 20;
  p.top_logprobs = 2;
  Sampler sampler(kernels::BestFp32Kernels(), kVocabulary);
  std::vector<float> row = TestLogits(kVocabulary);
  const std::vector<DrawKey> draws = {{1, 2, 0, 0}, {1, 2, 1, 0}, {1, 2, 2, 0}};
  const auto together = sampler.Choose(p, draws, Tokens(kPrompt, {}), row.data());
  ASSERT_TRUE(together.ok()) << together.status();
  for (size_t i = 0; i < draws.size(); ++i) {
    row = TestLogits(kVocabulary);
    const auto alone = ChooseOne(sampler, p, draws[i], Tokens(kPrompt, {}), row.data());
    EXPECT_EQ((*together)[i].id, alone->id);
    EXPECT_EQ((*together)[i].logprob, alone->logprob);
    EXPECT_EQ((*together)[i].log_kept_mass, alone->log_kept_mass);
    EXPECT_EQ((*together)[i].top.size(), 2u);
  }
}

// Beams: log-probs of the bare softmax, changed and not normalised again.
TEST(Sampling, ABeamRanksByChangedLogprobsOfTheBareSoftmax) {
  SamplingParameters p = Parameters();
  p.repetition_penalty = 1.5;
  p.logit_bias = {{8, 0.5}, {20, 2}};
  p.forbidden_ids = {21, 22, 23};
  std::vector<float> logits = TestLogits(kVocabulary), logprobs = logits;
  const std::vector<double> bare = Exact(logits, Parameters(), {});
  for (int id = 0; id < kVocabulary; ++id) logprobs[id] = static_cast<float>(std::log(bare[id]));
  const std::vector<double> expected = ExactLogits(logprobs, p, Tokens(kPrompt, kAnswer));
  Sampler sampler(kernels::BestFp32Kernels(), kVocabulary);
  const auto best = sampler.Rank(p, Tokens(kPrompt, kAnswer), kVocabulary, logits.data());
  ASSERT_TRUE(best.ok()) << best.status();
  ASSERT_EQ(best->size(), kVocabulary - 3u);
  for (size_t i = 0; i < best->size(); ++i) {
    EXPECT_NEAR((*best)[i].logprob, expected[(*best)[i].id], 1e-5);
    if (i > 0) {
      EXPECT_LE((*best)[i].logprob, (*best)[i - 1].logprob);
    }
  }
}

TEST(Sampling, TopLogprobsAreTheMostLikelyInOrder) {
  SamplingParameters p = Parameters();
  p.top_logprobs = 5;
  std::vector<float> logits = TestLogits(700);
  const std::vector<double> exact = Exact(logits, p, {});
  Sampler sampler(kernels::BestFp32Kernels(), 700);
  const auto choice = ChooseOne(sampler, p, {}, {}, logits.data());
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
  EXPECT_EQ(ChooseOne(sampler, Parameters(), {}, {}, nan.data()).status().code(),
            absl::StatusCode::kInternal);
  SamplingParameters p = Parameters();
  p.forbidden_ids = {0, 1, 2, 3};
  std::vector<float> logits(4);
  EXPECT_THAT(std::string(ChooseOne(sampler, p, {}, {}, logits.data()).status().message()),
              HasSubstr("every token is forbidden"));
  EXPECT_THAT(std::string(sampler.Rank(p, {}, 2, logits.data()).status().message()),
              HasSubstr("every token is forbidden"));
}

}  // namespace
}  // namespace trainyard::rollout
