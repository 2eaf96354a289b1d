// rollout/engine_beams.cc

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"
#include "rollout/engine.h"
#include "tests/rollout/engine_runs.h"
#include "tests/rollout/tiny_model.h"

namespace trainyard::rollout {
namespace {

using testing::HasSubstr;

constexpr int kVocabulary = 97;

EngineOptions Options(const ScheduleLimits& limits = {64, 64}, int blocks = 400) {
  EngineOptions options;
  options.threads = 2;
  options.limits = limits;
  options.cache_bytes = blocks * BlockFloats(TinyLlama()) * 4;
  for (int id = 0; id < kVocabulary; ++id) options.token_bytes.push_back(std::to_string(id) + ";");
  return options;
}

std::unique_ptr<Engine> MakeEngine(const EngineOptions& options = Options()) {
  auto engine = Engine::Create(TinyPacked(TinyLlama(), 1), options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

GenerateRequest Request(uint64_t ticket, int prompt_tokens, int max_new_tokens) {
  const CounterRandom random(DeriveKey(7, "beams", ticket));
  GenerateRequest request;
  request.ticket = ticket;
  request.row = static_cast<int64_t>(ticket);
  for (int i = 0; i < prompt_tokens; ++i) {
    request.prompt_ids.push_back(static_cast<int32_t>(random.Below(kVocabulary, i)));
  }
  request.sampling.max_new_tokens = max_new_tokens;
  return request;
}

GenerateRequest BeamRequest(uint64_t ticket, int width, int prompt_tokens = 20,
                            int max_new_tokens = 24) {
  GenerateRequest request = Request(ticket, prompt_tokens, max_new_tokens);
  request.n = width;
  request.sampling.beam.width = width;
  return request;
}

void ExpectSame(const Completion& a, const Completion& b) {
  EXPECT_EQ(a.token_ids, b.token_ids);
  EXPECT_EQ(a.logprobs, b.logprobs);
  EXPECT_EQ(a.finish, b.finish);
}

// The most likely tokens behind each of `prefixes`, by plain requests of one token.
std::vector<std::vector<TokenLogprob>> MostLikely(Engine& engine,
                                                  const std::vector<std::vector<int32_t>>& prefixes,
                                                  int count) {
  std::vector<GenerateRequest> requests;
  for (size_t i = 0; i < prefixes.size(); ++i) {
    requests.push_back(Request(i, 1, 1));
    requests.back().prompt_ids = prefixes[i];
    requests.back().sampling.top_logprobs = count;
  }
  std::vector<std::vector<TokenLogprob>> top;
  for (auto& [name, completion] : RunAll(engine, requests)) top.push_back(completion.top[0]);
  return top;
}

struct Hypothesis {
  std::vector<int32_t> tokens;  // prompt included
  double score = 0;
};

bool Better(const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; }

// The best of the hypotheses that end in `end_id` or have all their tokens, ranked by mean
// log-prob, by the definition of a beam search that ends when no open beam can become better.
std::vector<Hypothesis> SearchByDefinition(Engine& engine, const GenerateRequest& request) {
  const size_t width = request.sampling.beam.width;
  const int longest = request.sampling.max_new_tokens;
  std::vector<Hypothesis> open = {{request.prompt_ids, 0}}, ended;
  for (int length = 1; length <= longest; ++length) {
    std::vector<std::vector<int32_t>> prefixes;
    for (const Hypothesis& beam : open) prefixes.push_back(beam.tokens);
    const auto top = MostLikely(engine, prefixes, 2 * static_cast<int>(width));
    std::vector<Hypothesis> all;
    for (size_t i = 0; i < open.size(); ++i) {
      for (const TokenLogprob& token : top[i]) {
        all.push_back({open[i].tokens, open[i].score + token.logprob});
        all.back().tokens.push_back(token.id);
      }
    }
    std::sort(all.begin(), all.end(), Better);
    open.clear();
    for (size_t i = 0; i < all.size() && open.size() < width; ++i) {
      const bool ends = all[i].tokens.back() == request.sampling.end_ids[0] || length == longest;
      if (!ends) open.push_back(all[i]);
      if (ends && i < width) ended.push_back({all[i].tokens, all[i].score / length});
    }
    std::sort(ended.begin(), ended.end(), Better);
    if (ended.size() > width) ended.resize(width);
    if (open.empty()) break;
    if (ended.size() == width && open[0].score / longest <= ended.back().score) break;
  }
  return ended;
}

TEST(EngineBeams, TheHypothesesAreThoseOfTheDefinition) {
  const auto engine = MakeEngine();
  int short_ones = 0;
  for (const int width : {2, 3, 8}) {
    for (uint64_t row = 0; row < 6; ++row) {
      GenerateRequest request = BeamRequest(row, width, 5 + static_cast<int>(row), 10);
      request.sampling.beam.early_stopping = EarlyStopping::kNever;
      // A token that is likely to be among the best.
      request.sampling.end_ids = {MostLikely(*engine, {request.prompt_ids}, 1)[0][0].id};
      const std::vector<Hypothesis> expected = SearchByDefinition(*engine, request);
      const auto found = RunAll(*engine, {request});
      ASSERT_EQ(found.size(), expected.size());
      for (int i = 0; i < width; ++i) {
        const Completion& c = found.at({static_cast<int64_t>(row), i});
        std::vector<int32_t> tokens = request.prompt_ids;
        tokens.insert(tokens.end(), c.token_ids.begin(), c.token_ids.end());
        EXPECT_EQ(tokens, expected[i].tokens) << "width " << width << " row " << row;
        EXPECT_EQ(c.spans.back().end, static_cast<int>(c.token_ids.size()));
        EXPECT_EQ(c.logprobs.size(), c.token_ids.size());
        short_ones += c.finish == FinishReason::kEnd;
      }
    }
  }
  EXPECT_GT(short_ones, 10) << "too few hypotheses end early to say much";
}

// Beams among samples and other beams, in chunks, one token a step, on one thread.
TEST(EngineBeams, AHypothesisDoesNotDependOnItsCompany) {
  std::vector<GenerateRequest> requests;
  std::map<SampleName, Completion> alone;
  const auto engine = MakeEngine();
  for (uint64_t i = 0; i < 10; ++i) {
    const int prompt = 1 + static_cast<int>(i * 7 % 45), tokens = 5 + static_cast<int>(i * 3 % 30);
    requests.push_back(i % 3 == 2 ? Request(i, prompt, tokens)
                                  : BeamRequest(i, 2 + static_cast<int>(i % 4), prompt, tokens));
    requests.back().sampling.end_ids = {static_cast<int32_t>(i)};
    requests.back().sampling.repetition_penalty = i % 2 == 0 ? 1.0 : 1.3;
    alone.merge(RunAll(*engine, {requests.back()}));
  }
  EngineOptions one_thread = Options({512, 64});
  one_thread.threads = 1;
  for (const EngineOptions& options :
       {Options({512, 64}), Options({13, 64}), Options({1, 5}), one_thread}) {
    const auto together = RunAll(*MakeEngine(options), requests);
    ASSERT_EQ(together.size(), alone.size());
    for (const auto& [name, completion] : alone) ExpectSame(together.at(name), completion);
  }
}

// In caches that barely hold one of the searches all of them end, and with the same hypotheses.
TEST(EngineBeams, BeamsThatWerePreemptedGiveTheSame) {
  const auto roomy = MakeEngine();
  std::vector<GenerateRequest> requests;
  for (uint64_t i = 0; i < 8; ++i) {
    requests.push_back(i % 3 == 0 ? Request(i, 10, 80)
                                  : BeamRequest(i, 2 + static_cast<int>(i % 2), 10, 70));
    if (i % 3 == 0) requests.back().n = 2;
  }
  const auto free = RunAll(*roomy, requests);
  EXPECT_EQ(roomy->Load().preemptions, 0);
  int64_t preemptions = 0;
  for (const ScheduleLimits& limits : {ScheduleLimits{64, 64}, {5, 8}, {1, 3}}) {
    for (const int blocks : {18, 19, 23}) {
      SCOPED_TRACE(testing::Message() << limits.max_step_tokens << " tokens " << blocks);
      const auto tight = MakeEngine(Options(limits, blocks));
      const auto squeezed = RunAll(*tight, requests);
      preemptions += tight->Load().preemptions;
      ASSERT_EQ(squeezed.size(), free.size());
      for (const auto& [name, completion] : free) ExpectSame(squeezed.at(name), completion);
    }
  }
  EXPECT_GT(preemptions, 10);
}

TEST(EngineBeams, WhatASearchCanNotHoldIsRefused) {
  const auto engine = MakeEngine(Options({64, 6}, 20));
  EXPECT_TRUE(engine->Add(BeamRequest(1, 4, 20, 40)).ok());  // 4 x (4 blocks and one)
  const absl::Status large = engine->Add(BeamRequest(2, 5, 20, 40));
  EXPECT_EQ(large.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(large.message()), HasSubstr("needs 25 cache blocks"));
  GenerateRequest wide = BeamRequest(3, 7, 1, 1);
  wide.n = 1;
  EXPECT_THAT(std::string(engine->Add(wide).message()),
              HasSubstr("sampling.beam.width is 7"));
}

TEST(EngineBeams, ADeadlineGivesTheHypothesesAndBeamsThereAre) {
  const auto engine = MakeEngine();
  GenerateRequest request = BeamRequest(1, 3, 20, 50);
  request.n = 2;
  request.first_sample = 4;
  request.deadline = absl::Seconds(10);
  ASSERT_TRUE(engine->Add(request).ok());
  for (int i = 0; i < 5; ++i) engine->Step(absl::Seconds(9));
  const StepResult last = engine->Step(absl::Seconds(10));
  ASSERT_EQ(last.completions.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(last.completions[i].sample, 4 + i);
    EXPECT_EQ(last.completions[i].finish, FinishReason::kAborted);
    EXPECT_EQ(last.completions[i].error.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(last.completions[i].token_ids.size(), 5u);
  }
  EXPECT_TRUE(engine->idle());
  EXPECT_EQ(engine->Load().free_blocks, engine->Load().total_blocks);
}

TEST(EngineBeams, CancelFreesAllBeamsAndReportsNothing) {
  const auto engine = MakeEngine();
  GenerateRequest request = BeamRequest(1, 4);
  request.n = 2;
  ASSERT_TRUE(engine->Add(request).ok());
  for (int i = 0; i < 3; ++i) engine->Step(absl::ZeroDuration());
  EXPECT_EQ(engine->Load().running, 4);
  EXPECT_EQ(engine->Cancel(1), 2);
  EXPECT_TRUE(engine->idle());
  EXPECT_EQ(engine->Load().free_blocks, engine->Load().total_blocks);
}

TEST(EngineBeams, ASwapFollowsWhatEachSearchAskedFor) {
  const auto engine = MakeEngine(Options({5, 64}));
  GenerateRequest stay = BeamRequest(1, 3, 4, 12), move = BeamRequest(2, 3, 4, 12),
                  stop = BeamRequest(3, 3, 4, 12);
  move.on_swap = OnSwap::kContinueNew;
  stop.on_swap = OnSwap::kAbortPartial;
  const auto old = RunAll(*engine, {stay});
  for (const GenerateRequest& request : {stay, move, stop}) ASSERT_TRUE(engine->Add(request).ok());
  // Five tokens a step: of the second search some beams wait for the others.
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(engine->Step(absl::ZeroDuration()).completions.empty());
  }
  ASSERT_TRUE(engine->Swap(TinyPacked(TinyLlama(), 2, 1)).ok());
  const auto done = RunAll(*engine, {});
  ASSERT_EQ(done.size(), 9u);
  for (int i = 0; i < 3; ++i) {
    ExpectSame(done.at({1, i}), old.at({1, i}));
    EXPECT_EQ(done.at({2, i}).spans.back().version, 1);
    EXPECT_EQ(done.at({2, i}).finish, FinishReason::kLength);
    EXPECT_EQ(done.at({3, i}).error.code(), absl::StatusCode::kAborted);
  }
}

TEST(EngineBeams, StopStringsAndMasksHoldInEveryHypothesis) {
  const auto engine = MakeEngine();
  GenerateRequest request = BeamRequest(1, 4, 10, 12);
  request.sampling.beam.length_penalty = 0;  // the shortest are the best
  const auto free = RunAll(*engine, {request});
  const Completion& best = free.at({1, 0});
  GenerateRequest stopping = request, masked = request;
  stopping.sampling.stop_strings = {std::to_string(best.token_ids[2]) + ";" +
                                    std::to_string(best.token_ids[3]).substr(0, 1)};
  masked.sampling.forbidden_ids = {best.token_ids[7]};
  int stopped = 0;
  for (const auto& [name, c] : RunAll(*engine, {stopping})) {
    stopped += c.finish == FinishReason::kStop;
  }
  EXPECT_GT(stopped, 0);
  for (const auto& [name, c] : RunAll(*engine, {masked})) {
    EXPECT_EQ(std::count(c.token_ids.begin(), c.token_ids.end(), best.token_ids[7]), 0);
  }
}

TEST(EngineBeams, HypothesesThatTheMaskDoesNotLeaveAreNoSuccess) {
  const auto engine = MakeEngine();
  GenerateRequest request = BeamRequest(1, 3, 10, 4);
  request.sampling.allowed_ids = {5};
  const auto done = RunAll(*engine, {request});
  EXPECT_EQ(done.at({1, 0}).token_ids, std::vector<int32_t>(4, 5));
  EXPECT_TRUE(done.at({1, 0}).error.ok());
  EXPECT_EQ(done.at({1, 1}).finish, FinishReason::kAborted);
  EXPECT_EQ(done.at({1, 1}).error.code(), absl::StatusCode::kNotFound);
}

TEST(EngineBeams, NothingLeaksUnderRandomTraffic) {
  int64_t preemptions = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const CounterRandom random(DeriveKey(seed, "beam traffic"));
    const auto engine = MakeEngine(Options({24, 12}, 26));
    int expected = 0, answered = 0;
    int64_t version = 0;
    for (int step = 0; step < 400; ++step) {
      const uint64_t choice = random.Below(12, step), ticket = 1000 * seed + step;
      if (choice < 4) {
        GenerateRequest request = Request(ticket, 1 + static_cast<int>(random.Below(30, step, 5)),
                                          1 + static_cast<int>(random.Below(90, step, 6)));
        request.n = 1 + static_cast<int>(random.Below(3, step, 1));
        if (choice == 0) request.sampling.best_of = 4;
        if (choice > 1) request.sampling.beam.width = 2 + static_cast<int>(random.Below(4, step));
        request.sampling.end_ids = {1, 2, 3};
        request.on_swap = static_cast<OnSwap>(random.Below(3, step, 2));
        request.deadline = absl::Seconds(step + 10 + random.Below(100, step, 3));
        const int n = request.n;
        if (engine->Add(std::move(request)).ok()) expected += n;
      } else if (choice == 4) {
        expected -= engine->Cancel(1000 * seed + random.Below(step + 1, step, 4));
      } else if (choice == 5) {
        version += engine->Swap(TinyPacked(TinyLlama(), seed, version + 1)).ok();
      }
      answered += static_cast<int>(engine->Step(absl::Seconds(step)).completions.size());
    }
    const int aborted = engine->AbortAll(absl::CancelledError("end of the test"));
    const int last = static_cast<int>(engine->Step(absl::Seconds(400)).completions.size());
    EXPECT_EQ(last, aborted);
    EXPECT_EQ(answered + last, expected) << "seed " << seed;
    EXPECT_TRUE(engine->idle());
    EXPECT_EQ(engine->Load().free_blocks, engine->Load().total_blocks);
    preemptions += engine->Load().preemptions;
  }
  EXPECT_GT(preemptions, 3);
}

}  // namespace
}  // namespace trainyard::rollout
