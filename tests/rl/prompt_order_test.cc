#include "rl/prompt_order.h"

#include <set>

#include "gtest/gtest.h"

namespace trainyard::rl {
namespace {

TEST(PromptOrderTest, EveryPassDrawsEveryPromptOnceInAnOrderOfItsOwn) {
  PromptOrder order(7, 10);
  std::vector<int64_t> passes[2];
  for (const PromptDraw& draw : order.Take(0, 20)) passes[draw.pass].push_back(draw.prompt);
  for (const auto& prompts : passes) {
    EXPECT_EQ(std::set<int64_t>(prompts.begin(), prompts.end()).size(), 10);
  }
  EXPECT_NE(passes[0], passes[1]);
}

TEST(PromptOrderTest, ARowDrawsTheSamePromptHoweverItIsReached) {
  PromptOrder forward(7, 10);
  PromptOrder jump(7, 10);
  forward.Take(0, 33);
  const PromptDraw a = forward.At(12);
  const PromptDraw b = jump.At(12);
  EXPECT_EQ(a.prompt, b.prompt);
  EXPECT_EQ(a.pass, 1);
  EXPECT_EQ(a.row, 12);
}

TEST(PromptOrderTest, ARetryRepeatsItsSeedAndALaterDrawDoesNot) {
  EXPECT_EQ(SampleSeed(1, 5, 0), SampleSeed(1, 5, 0));
  EXPECT_NE(SampleSeed(1, 5, 0), SampleSeed(1, 5, 1));
  EXPECT_NE(SampleSeed(1, 5, 0), SampleSeed(1, 15, 0));
  EXPECT_NE(SampleSeed(1, 5, 0), SampleSeed(2, 5, 0));
}

}  // namespace
}  // namespace trainyard::rl
