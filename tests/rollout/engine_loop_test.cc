#include "rollout/engine_loop.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/rollout/tiny_model.h"

namespace trainyard::rollout {
namespace {

class EngineLoopTest : public testing::Test {
 protected:
  EngineLoopTest() {
    auto engine = Engine::Create(TinyPacked(TinyLlama(), 1), {});
    loop_ = std::make_unique<EngineLoop>(*std::move(engine), Clock::Real());
  }

  static GenerateRequest Request(int max_new_tokens) {
    GenerateRequest request;
    request.prompt_ids = {1, 2, 3};
    request.sampling.max_new_tokens = max_new_tokens;
    return request;
  }

  absl::StatusOr<std::vector<uint64_t>> Generate(std::vector<GenerateRequest> requests,
                                                 int64_t version = -1) {
    return loop_->Generate({std::move(requests), version, absl::Seconds(60), deliveries_});
  }

  std::unique_ptr<EngineLoop> loop_;
  std::shared_ptr<EngineLoop::Deliveries> deliveries_ =
      std::make_shared<EngineLoop::Deliveries>(
          64 + EngineLoop::kMostDeltas);
};

TEST_F(EngineLoopTest, EverySampleIsDeliveredOnce) {
  GenerateRequest group = Request(5);
  group.n = 3;
  ASSERT_TRUE(Generate({group, Request(7)}).ok());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(deliveries_->Pop(absl::Seconds(30)).has_value());
  EXPECT_EQ(deliveries_->size(), 0u);
}

TEST_F(EngineLoopTest, TokensOfAStreamComeBeforeTheirSample) {
  GenerateRequest request = Request(12);
  request.stream = true;
  request.n = 2;
  ASSERT_TRUE(Generate({request}).ok());
  std::map<int32_t, std::vector<int32_t>> told;
  for (int ended = 0; ended < 2;) {
    auto delivery = deliveries_->Pop(absl::Seconds(30));
    ASSERT_TRUE(delivery.has_value());
    if (delivery->completion == nullptr) {
      for (int32_t id : delivery->delta.token_ids) told[delivery->delta.sample].push_back(id);
      continue;
    }
    const Completion& completion = *delivery->completion;
    EXPECT_EQ(told[completion.sample], completion.token_ids);
    ++ended;
  }
  EXPECT_EQ(deliveries_->size(), 0u);
}

// Nobody reads: the engine goes on, and what does not fit is told by the completions.
TEST_F(EngineLoopTest, AStreamThatNobodyReadsIsBounded) {
  GenerateRequest request = Request(100);
  request.stream = true;
  request.n = 32;
  ASSERT_TRUE(Generate({request}).ok());
  ASSERT_TRUE(loop_->Drain(absl::Seconds(60)).ok());
  EXPECT_EQ(deliveries_->size(), 32 + EngineLoop::kMostDeltas);
  std::map<int32_t, std::vector<int32_t>> told;
  int whole = 0;
  while (deliveries_->size() > 0) {
    const auto delivery = deliveries_->Pop(absl::ZeroDuration());
    if (delivery->completion == nullptr) {
      for (int32_t id : delivery->delta.token_ids) told[delivery->delta.sample].push_back(id);
      continue;
    }
    const Completion& completion = *delivery->completion;
    std::vector<int32_t> first = completion.token_ids;
    first.resize(told[completion.sample].size());
    EXPECT_EQ(told[completion.sample], first) << "what was told is the answer's beginning";
    whole += completion.token_ids.size() == 100;
  }
  EXPECT_EQ(whole, 32);
}

TEST_F(EngineLoopTest, RequestsAreTakenTogetherOrNotAtAll) {
  GenerateRequest bad = Request(5);
  bad.prompt_ids = {-1};
  EXPECT_EQ(Generate({Request(100), bad}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*loop_->Drain(absl::Seconds(30)), 0);
  EXPECT_EQ(deliveries_->size(), 0u);
}

TEST_F(EngineLoopTest, AnotherVersionThanAskedForIsRefused) {
  EXPECT_EQ(Generate({Request(5)}, 3).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(loop_->Swap(TinyPacked(TinyLlama(), 2, 3), absl::Seconds(30)).ok());
  EXPECT_TRUE(Generate({Request(5)}, 3).ok());
  EXPECT_TRUE(deliveries_->Pop(absl::Seconds(30)).has_value());
  EXPECT_EQ(loop_->state().version, 3);
}

TEST_F(EngineLoopTest, ScoresComeInTheOrderAskedFor) {
  std::vector<ScoreRequest> requests(3);
  for (int i = 0; i < 3; ++i) requests[i].token_ids.assign(4 + 20 * (2 - i), i);
  const auto scores = loop_->Score({requests, -1, absl::Seconds(30)});
  ASSERT_TRUE(scores.ok()) << scores.status();
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*scores)[i].logprobs.size(), 3u + 20 * (2 - i));
}

TEST_F(EngineLoopTest, WhatIsCancelledIsNotDelivered) {
  // One request alone may end before the cancellation is heard; sixty of them may not.
  auto tickets = Generate(std::vector<GenerateRequest>(60, Request(120)));
  ASSERT_TRUE(tickets.ok()) << tickets.status();
  loop_->Cancel(*tickets);
  // Commands are heard in order: when the swap is done, so is the cancellation.
  ASSERT_TRUE(loop_->Swap(TinyPacked(TinyLlama(), 2, 3), absl::Seconds(30)).ok());
  const size_t delivered_before = deliveries_->size();
  EXPECT_LT(delivered_before, tickets->size());
  EXPECT_EQ(*loop_->Drain(absl::Seconds(30)), 0);
  EXPECT_EQ(deliveries_->size(), delivered_before);
  EXPECT_EQ(loop_->state().load.free_blocks, loop_->state().load.total_blocks);
}

TEST_F(EngineLoopTest, ADrainRefusesNewWorkAndCutsOldShort) {
  GenerateRequest group = Request(120);
  group.n = 32;
  ASSERT_TRUE(Generate({group}).ok());
  const auto aborted = loop_->Drain(absl::ZeroDuration());
  ASSERT_TRUE(aborted.ok());
  EXPECT_TRUE(loop_->state().draining);
  EXPECT_EQ(Generate({Request(5)}).status().code(), absl::StatusCode::kUnavailable);
  int cut = 0;
  for (int i = 0; i < 32; ++i) {
    const auto delivery = deliveries_->Pop(absl::Seconds(30));
    ASSERT_TRUE(delivery.has_value());
    cut += delivery->completion->finish == FinishReason::kAborted;
  }
  EXPECT_EQ(cut, *aborted);
}

TEST_F(EngineLoopTest, TheEndOfTheLoopAbortsWhatIsInFlight) {
  GenerateRequest group = Request(120);
  group.n = 32;
  ASSERT_TRUE(Generate({group}).ok());
  loop_.reset();
  EXPECT_EQ(deliveries_->size(), 32u);
}

}  // namespace
}  // namespace trainyard::rollout
