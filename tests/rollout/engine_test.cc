#include "rollout/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "tests/rollout/engine_runs.h"
#include "tests/rollout/tiny_model.h"

namespace trainyard::rollout {
namespace {

using testing::HasSubstr;

EngineOptions Options(const ScheduleLimits& limits = {64, 64}, int blocks = 400) {
  EngineOptions options;
  options.threads = 2;
  options.limits = limits;
  options.cache_bytes = blocks * BlockFloats(TinyLlama()) * 4;
  for (int id = 0; id < 97; ++id) options.token_bytes.push_back(absl::StrCat("<", id, ">"));
  return options;
}

struct Tested {
  model::ModelConfig config;
  kernels::WeightType products = kernels::WeightType::kF32;
};

std::unique_ptr<Engine> MakeEngine(const EngineOptions& options = Options(),
                                   const Tested& tested = {TinyLlama()}) {
  auto engine = Engine::Create(TinyPacked(tested.config, 1, 0, tested.products), options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

GenerateRequest Request(uint64_t ticket, int prompt_tokens, int max_new_tokens) {
  const CounterRandom random(DeriveKey(99, "prompt", ticket));
  GenerateRequest request;
  request.ticket = ticket;
  request.row = static_cast<int64_t>(ticket);
  request.seed = 5;
  for (int i = 0; i < prompt_tokens; ++i) {
    request.prompt_ids.push_back(static_cast<int32_t>(random.Below(61, i)));
  }
  request.sampling.max_new_tokens = max_new_tokens;
  return request;
}

// Requests of many lengths and settings.
GenerateRequest MixedRequest(uint64_t i) {
  GenerateRequest request = Request(i, 1 + static_cast<int>(i * 7 % 45), 5 + i * 3 % 40);
  request.sampling.temperature = i % 4 == 3 ? 0 : 0.7 + 0.1 * (i % 3);
  if (i % 4 == 1) request.sampling.top_k = 12;
  if (i % 4 == 2) request.sampling.top_p = 0.8;
  if (i % 8 == 5) request.sampling.min_p = 0.05, request.sampling.typical_p = 0.9;
  if (i % 3 == 1) {
    request.sampling.repetition_penalty = 1.3;
    request.sampling.presence_penalty = 0.2;
    request.sampling.frequency_penalty = 0.1;
    request.sampling.logit_bias = {{5, 1.5}, {6, -2}};
  }
  request.sampling.forbidden_ids = {0, 2};
  request.sampling.end_ids = {static_cast<int32_t>(3 + i % 5)};
  request.sampling.min_new_tokens = 4;
  return request;
}

void ExpectSame(const Completion& a, const Completion& b) {
  EXPECT_EQ(a.token_ids, b.token_ids);
  EXPECT_EQ(a.logprobs, b.logprobs);
  EXPECT_EQ(a.log_kept_mass, b.log_kept_mass);
  EXPECT_EQ(a.finish, b.finish);
}

class EngineFamilies : public testing::TestWithParam<Tested> {};

// Tokens and log-probs to the bit: alone, in a batch, with prompts cut into chunks, on one thread.
TEST_P(EngineFamilies, ASampleDoesNotDependOnItsCompany) {
  const auto alone_engine = MakeEngine(Options(), GetParam());
  std::map<SampleName, Completion> alone;
  std::vector<GenerateRequest> requests;
  for (uint64_t i = 0; i < 32; ++i) {
    requests.push_back(MixedRequest(i));
    alone.merge(RunAll(*alone_engine, {MixedRequest(i)}));
  }
  EngineOptions one_thread = Options({512, 64});
  one_thread.threads = 1;
  const std::pair<const char*, EngineOptions> settings[] = {
      {"batch", Options({512, 64})}, {"chunks", Options({13, 64})}, {"one by one", Options({1, 2})},
      {"one thread", one_thread}};
  for (const auto& [name, options] : settings) {
    SCOPED_TRACE(name);
    const auto engine = MakeEngine(options, GetParam());
    const auto together = RunAll(*engine, requests);
    ASSERT_EQ(together.size(), alone.size());
    for (const auto& [sample, completion] : alone) ExpectSame(together.at(sample), completion);
  }
}

TEST_P(EngineFamilies, ASampleThatWasPreemptedIsTheSame) {
  EngineOptions tight = Options();
  tight.cache_bytes = 10 * BlockFloats(GetParam().config) * 4;
  const auto engine = MakeEngine(tight, GetParam()), roomy = MakeEngine(Options(), GetParam());
  std::vector<GenerateRequest> requests;
  for (uint64_t i = 0; i < 8; ++i) requests.push_back(Request(i, 10, 80));
  const auto squeezed = RunAll(*engine, requests), free = RunAll(*roomy, requests);
  EXPECT_GT(engine->Load().preemptions, 4);
  EXPECT_EQ(roomy->Load().preemptions, 0);
  for (const auto& [sample, completion] : free) ExpectSame(squeezed.at(sample), completion);
}

TEST_P(EngineFamilies, SamplesOfOneRequestEqualSamplesAskedForOneByOne) {
  for (int prompt_tokens : {1, 15, 16, 17, 40}) {
    GenerateRequest group = Request(7, prompt_tokens, 20);
    group.n = 6;
    group.first_sample = 2;
    const auto engine = MakeEngine(Options(), GetParam());
    const auto together = RunAll(*engine, {group});
    ASSERT_EQ(together.size(), 6u);
    for (int sample = 2; sample < 8; ++sample) {
      group.n = 1;
      group.first_sample = sample;
      ExpectSame(together.at({7, sample}), RunAll(*engine, {group}).at({7, sample}));
    }
    EXPECT_NE(together.at({7, 2}).token_ids, together.at({7, 3}).token_ids);
  }
}

TEST_P(EngineFamilies, ScoresOfGeneratedTokensAreTheBitsTheyWereGeneratedWith) {
  const auto engine = MakeEngine(Options({13, 8}), GetParam());
  for (uint64_t i = 0; i < 8; ++i) {
    const GenerateRequest request = MixedRequest(i);
    if (request.sampling.temperature == 0) continue;
    const Completion c = RunAll(*engine, {request}).begin()->second;
    ScoreRequest score;
    score.ticket = 1;
    score.token_ids = request.prompt_ids;
    score.token_ids.insert(score.token_ids.end(), c.token_ids.begin(), c.token_ids.end());
    score.begin = static_cast<int>(request.prompt_ids.size());
    score.sampling = request.sampling;
    ASSERT_TRUE(engine->Add(score).ok());
    std::vector<ScoreResult> results;
    while (results.empty()) results = engine->Step(absl::ZeroDuration()).scores;
    ASSERT_TRUE(results[0].status.ok());
    EXPECT_EQ(results[0].logprobs, c.logprobs);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Families, EngineFamilies,
    testing::Values(Tested{TinyLlama()}, Tested{TinyGpt2()},
                    Tested{TinyLlama(), kernels::WeightType::kBf16},
                    Tested{TinyGpt2(), kernels::WeightType::kBf16}),
    [](const auto& tested) {
      return tested.param.config.model_type +
             (tested.param.products == kernels::WeightType::kBf16 ? "_bf16" : "");
    });

TEST(Engine, EveryKernelServesAndPassesTheSelfTest) {
  for (const kernels::Fp32Kernels* table :
       {kernels::PlainFp32Kernels(), kernels::Avx2Fp32Kernels(), kernels::Avx512Fp32Kernels()}) {
    if (table == nullptr) continue;
    EngineOptions options = Options();
    options.kernels = table;
    EXPECT_EQ(RunAll(*MakeEngine(options), {Request(1, 5, 5)}).size(), 1u);
  }
  for (const kernels::Bf16Kernels* table :
       {kernels::PlainBf16Kernels(), kernels::Avx2Bf16Kernels(), kernels::Avx512Bf16Kernels(),
        kernels::AmxBf16Kernels()}) {
    if (table == nullptr) continue;
    EngineOptions options = Options();
    options.bf16_kernels = table;
    const auto engine = MakeEngine(options, {TinyLlama(), kernels::WeightType::kBf16});
    EXPECT_THAT(std::string(engine->kernels_name()), testing::EndsWith(table->name));
    EXPECT_EQ(RunAll(*engine, {Request(1, 5, 5)}).size(), 1u);
  }
}

// The same greedy answers, as far as they are the same, with log-probs that differ by roundings.
TEST(Engine, ProductsInBf16GiveNearlyTheLogprobsOfFp32) {
  const auto wide = MakeEngine();
  const auto narrow = MakeEngine(Options(), {TinyLlama(), kernels::WeightType::kBf16});
  std::vector<GenerateRequest> requests;
  for (uint64_t i = 0; i < 32; ++i) {
    requests.push_back(Request(i, 20, 30));
    requests.back().sampling.temperature = 0;
  }
  const auto exact = RunAll(*wide, requests), rounded = RunAll(*narrow, requests);
  double distance = 0;
  int same = 0, tokens = 0;
  for (const auto& [sample, completion] : exact) {
    const Completion& other = rounded.at(sample);
    bool agrees = true;
    for (int i = 0; i < 30; ++i, ++tokens) {
      agrees = agrees && completion.token_ids[i] == other.token_ids[i];
      if (!agrees) continue;
      distance += std::abs(completion.logprobs[i] - other.logprobs[i]);
      ++same;
    }
  }
  EXPECT_GT(same, tokens * 0.7);
  EXPECT_LT(distance / same, 2e-2);
  EXPECT_GT(distance, 0);
}

TEST(Engine, WeightsOfAnotherComputeTypeAreRefused) {
  const auto engine = MakeEngine();
  EXPECT_EQ(engine->Swap(TinyPacked(TinyLlama(), 2, 1, kernels::WeightType::kBf16)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Engine, EndsAtEndIdsStopStringsAndLengths) {
  const auto engine = MakeEngine();
  const Completion free = RunAll(*engine, {Request(1, 10, 30)}).begin()->second;
  ASSERT_EQ(free.token_ids.size(), 30u);
  EXPECT_EQ(free.finish, FinishReason::kLength);

  GenerateRequest end = Request(1, 10, 30);
  end.sampling.end_ids = {free.token_ids[4]};
  Completion c = RunAll(*engine, {end}).begin()->second;
  EXPECT_EQ(c.finish, FinishReason::kEnd);
  EXPECT_EQ(c.token_ids.back(), free.token_ids[4]);
  end.sampling.ignore_eos = true;
  EXPECT_EQ(RunAll(*engine, {end}).begin()->second.token_ids, free.token_ids);

  GenerateRequest stop = Request(1, 10, 30);
  // Across a token boundary: the end of one token and the beginning of the next.
  stop.sampling.stop_strings = {
      absl::StrCat(free.token_ids[5] % 10, "><", free.token_ids[6] / 10 % 10 + 100, "never"),
      absl::StrCat(free.token_ids[5] % 10, "><", absl::StrCat(free.token_ids[6]).substr(0, 1))};
  c = RunAll(*engine, {stop}).begin()->second;
  EXPECT_EQ(c.finish, FinishReason::kStop);
  EXPECT_LE(c.token_ids.size(), 7u);
  EXPECT_TRUE(std::equal(c.token_ids.begin(), c.token_ids.end(), free.token_ids.begin()));

  c = RunAll(*engine, {Request(2, 120, 30)}).begin()->second;
  EXPECT_EQ(c.finish, FinishReason::kLength);
  EXPECT_EQ(c.token_ids.size(), 8u);  // the context is 128
}

TEST(Engine, BestOfKeepsTheLikeliestOfItsSamples) {
  const auto engine = MakeEngine();
  GenerateRequest all = Request(1, 12, 20);
  all.n = 8;
  const auto samples = RunAll(*engine, {all});
  const auto mean = [](const Completion& c) {
    return std::accumulate(c.logprobs.begin(), c.logprobs.end(), 0.0) /
           static_cast<double>(c.logprobs.size());
  };
  std::vector<double> means;
  for (const auto& [name, completion] : samples) means.push_back(mean(completion));
  std::sort(means.rbegin(), means.rend());
  GenerateRequest best = all;
  best.n = 3;
  best.sampling.best_of = 8;
  const auto kept = RunAll(*engine, {best, Request(2, 5, 5)});
  EXPECT_EQ(kept.size(), 4u);
  for (const auto& [name, completion] : kept) {
    if (name.first != 1) continue;
    ExpectSame(completion, samples.at(name));
    EXPECT_GE(mean(completion), means[2]);
  }
}

TEST(Engine, BestOfIsCancelledAndAbortedAsAWhole) {
  const auto engine = MakeEngine();
  GenerateRequest request = Request(1, 12, 20);
  request.n = 2;
  request.sampling.best_of = 5;
  ASSERT_TRUE(engine->Add(request).ok());
  engine->Step(absl::ZeroDuration());
  EXPECT_EQ(engine->Cancel(1), 2);
  ASSERT_TRUE(engine->Add(request).ok());
  for (int i = 0; i < 5; ++i) engine->Step(absl::ZeroDuration());
  EXPECT_EQ(engine->AbortAll(absl::UnavailableError("drained")), 2);
  for (const Completion& c : engine->Step(absl::ZeroDuration()).completions) {
    EXPECT_EQ(c.token_ids.size(), 5u);
    EXPECT_TRUE(absl::IsUnavailable(c.error));
  }
  EXPECT_TRUE(engine->idle());
}

TEST(Engine, TheMaskHoldsInEveryToken) {
  const auto engine = MakeEngine();
  for (uint64_t i = 0; i < 20; ++i) {
    GenerateRequest request = Request(i, 3, 30);
    request.sampling.forbidden_ids = {0, 1, 2, 40, 41, 42, 43, 44, 45};
    request.sampling.end_ids = {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    request.sampling.min_new_tokens = 6;
    const Completion c = RunAll(*engine, {request}).begin()->second;
    EXPECT_GE(c.token_ids.size(), 7u);
    for (int32_t id : c.token_ids) {
      const auto& forbidden = request.sampling.forbidden_ids;
      EXPECT_EQ(std::count(forbidden.begin(), forbidden.end(), id), 0);
    }
  }
}

TEST(Engine, CancelFreesBlocksAtOnceAndReportsNothing) {
  const auto engine = MakeEngine();
  GenerateRequest group = Request(1, 20, 50);
  group.n = 4;
  ASSERT_TRUE(engine->Add(group).ok());
  ASSERT_TRUE(engine->Add(Request(2, 20, 3)).ok());
  engine->Step(absl::ZeroDuration());
  EXPECT_EQ(engine->Cancel(1), 4);
  EXPECT_EQ(engine->Cancel(1), 0);
  engine->Step(absl::ZeroDuration());
  EXPECT_EQ(engine->Load().total_blocks - engine->Load().free_blocks, 2);
  const auto rest = RunAll(*engine, {});
  EXPECT_EQ(rest.size(), 1u);
}

TEST(Engine, ADeadlineEndsASequenceWithItsPartialTokens) {
  const auto engine = MakeEngine();
  GenerateRequest request = Request(1, 20, 50);
  request.deadline = absl::Seconds(10);
  ASSERT_TRUE(engine->Add(request).ok());
  for (int i = 0; i < 5; ++i) engine->Step(absl::Seconds(9));
  const StepResult last = engine->Step(absl::Seconds(10));
  ASSERT_EQ(last.completions.size(), 1u);
  EXPECT_EQ(last.completions[0].finish, FinishReason::kAborted);
  EXPECT_EQ(last.completions[0].error.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(last.completions[0].token_ids.size(), 5u);
  EXPECT_TRUE(engine->idle());
  EXPECT_EQ(engine->Load().free_blocks, engine->Load().total_blocks);
}

TEST(Engine, ASwapFollowsWhatEachRequestAskedFor) {
  const auto engine = MakeEngine();
  const auto version1 = TinyPacked(TinyLlama(), 2, 1);
  GenerateRequest stay = Request(1, 20, 12), move = Request(2, 20, 12), stop = Request(3, 20, 12);
  move.on_swap = OnSwap::kContinueNew;
  stop.on_swap = OnSwap::kAbortPartial;
  const Completion old_tokens = RunAll(*engine, {stay}).begin()->second;
  for (const GenerateRequest& request : {stay, move, stop}) ASSERT_TRUE(engine->Add(request).ok());
  for (int i = 0; i < 4; ++i) engine->Step(absl::ZeroDuration());
  ASSERT_TRUE(engine->Swap(version1).ok());
  EXPECT_EQ(engine->Swap(TinyPacked(TinyLlama(), 3, 2)).code(),
            absl::StatusCode::kFailedPrecondition);
  auto done = RunAll(*engine, {Request(4, 20, 12)});
  ExpectSame(done.at({1, 0}), old_tokens);
  EXPECT_EQ(done.at({4, 0}).spans[0].version, 1);
  const Completion& moved = done.at({2, 0});
  ASSERT_EQ(moved.spans.size(), 2u);
  EXPECT_EQ(moved.spans[0].end, 4);
  EXPECT_EQ(moved.spans[1].begin, 4);
  EXPECT_EQ(moved.spans[1].version, 1);
  EXPECT_EQ(moved.token_ids.size(), 12u);
  EXPECT_EQ(done.at({3, 0}).finish, FinishReason::kAborted);
  EXPECT_EQ(done.at({3, 0}).error.code(), absl::StatusCode::kAborted);
  // What was continued equals what the new weights make of the same tokens.
  ScoreRequest score;
  score.ticket = 9;
  score.token_ids = move.prompt_ids;
  score.token_ids.insert(score.token_ids.end(), moved.token_ids.begin(), moved.token_ids.end());
  score.begin = 24;
  ASSERT_TRUE(engine->Add(score).ok());
  std::vector<ScoreResult> results;
  while (results.empty()) results = engine->Step(absl::ZeroDuration()).scores;
  EXPECT_EQ(results[0].logprobs,
            std::vector<float>(moved.logprobs.begin() + 4, moved.logprobs.end()));
  EXPECT_TRUE(engine->Swap(TinyPacked(TinyLlama(), 3, 2)).ok());
}

TEST(Engine, AModelOfAnotherShapeIsNotSwappedIn) {
  const auto engine = MakeEngine();
  EXPECT_EQ(engine->Swap(TinyPacked(TinyGpt2(), 1)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Engine, WeightsThatAreNotFiniteAbortWithTheVersion) {
  MemoryWeights weights(TinyLlama(), 1);
  weights.tensors().at("model.norm.weight").values[3] = std::numeric_limits<float>::quiet_NaN();
  auto packed = PackModel(TinyLlama(), weights);
  ASSERT_TRUE(packed.ok());
  (*packed)->version = 17;
  const auto engine = MakeEngine();
  ASSERT_TRUE(engine->Swap(*packed).ok());
  const Completion c = RunAll(*engine, {Request(1, 5, 5)}).begin()->second;
  EXPECT_EQ(c.error.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(c.error.message()), HasSubstr("version 17"));
}

TEST(Engine, BadRequestsAreRefusedByName) {
  EngineOptions options = Options({64, 8}, 12);
  options.max_waiting_sequences = 3;
  options.token_bytes.clear();
  const auto engine = MakeEngine(options);
  const auto message = [&](auto change) {
    GenerateRequest request = Request(1, 5, 5);
    change(request);
    const absl::Status status = engine->Add(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(message([](auto& r) { r.prompt_ids.clear(); }), HasSubstr("no tokens"));
  EXPECT_THAT(message([](auto& r) { r.prompt_ids.resize(128); }), HasSubstr("context is 128"));
  EXPECT_THAT(message([](auto& r) { r.prompt_ids[2] = 97; }), HasSubstr("token_ids[2] is 97"));
  EXPECT_THAT(message([](auto& r) { r.n = 9; }), HasSubstr("n is 9"));
  EXPECT_THAT(message([](auto& r) { r.n = 0; }), HasSubstr("n is 0"));
  EXPECT_THAT(message([](auto& r) { r.sampling.stop_strings = {"x"}; }), HasSubstr("tokenizer"));
  EXPECT_THAT(message([](auto& r) { r.prompt_ids.resize(90), r.n = 8; }), HasSubstr("blocks"));
  for (uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(engine->Add(Request(i, 5, 5)).ok());
  EXPECT_EQ(engine->Add(Request(9, 5, 5)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine->Add(Request(1, 5, 5)).code(), absl::StatusCode::kAlreadyExists);
  ScoreRequest score;
  score.token_ids = {1, 2, 3};
  score.begin = 3;
  EXPECT_THAT(std::string(engine->Add(score).message()), HasSubstr("begin is 3"));
}

TEST(Engine, ATokenBehindAFullContextIsScored) {
  const auto engine = MakeEngine();
  ScoreRequest score;
  score.token_ids.assign(130, 5);  // the context is 128
  score.begin = 120;
  EXPECT_THAT(std::string(engine->Add(score).message()), HasSubstr("the sequence has 130 tokens"));
  score.token_ids.pop_back();
  ASSERT_TRUE(engine->Add(score).ok());
  std::vector<ScoreResult> results;
  while (results.empty()) results = engine->Step(absl::ZeroDuration()).scores;
  ASSERT_TRUE(results[0].status.ok()) << results[0].status;
  EXPECT_EQ(results[0].logprobs.size(), 9u);
}

// Arrivals, cancellations, deadlines and swaps at random: no block leaks, all is answered.
TEST(Engine, NothingLeaksUnderRandomTraffic) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const CounterRandom random(DeriveKey(seed, "traffic"));
    EngineOptions options = Options({24, 12}, 16);
    options.max_waiting_sequences = 40;
    const auto engine = MakeEngine(options);
    int expected = 0, answered = 0;
    int64_t version = 0;
    for (int step = 0; step < 400; ++step) {
      const uint64_t choice = random.Below(12, step);
      if (choice < 4) {
        GenerateRequest request = MixedRequest(1000 * seed + step);
        request.n = 1 + static_cast<int>(random.Below(3, step, 1));
        request.on_swap = static_cast<OnSwap>(random.Below(3, step, 2));
        request.deadline = absl::Seconds(step + 10 + random.Below(100, step, 3));
        const int n = request.n;
        if (engine->Add(std::move(request)).ok()) expected += n;
      } else if (choice == 4) {
        expected -= engine->Cancel(1000 * seed + random.Below(step + 1, step, 4));
      } else if (choice == 5) {
        const bool swapped = engine->Swap(TinyPacked(TinyLlama(), seed, version + 1)).ok();
        version += swapped;
      }
      answered += static_cast<int>(engine->Step(absl::Seconds(step)).completions.size());
    }
    engine->AbortAll(absl::CancelledError("end of the test"));
    answered += static_cast<int>(engine->Step(absl::Seconds(400)).completions.size());
    EXPECT_EQ(answered, expected);
    EXPECT_TRUE(engine->idle());
    EXPECT_EQ(engine->Load().free_blocks, engine->Load().total_blocks);
  }
}

}  // namespace
}  // namespace trainyard::rollout
