#include "rollout/runner.h"

#include <gtest/gtest.h>

#include "tests/rollout/tiny_model.h"

namespace trainyard::rollout {
namespace {

// Logits are compared with transformers' in the parity ring; here, what the cache must do.
class RunnerTest : public testing::Test {
 protected:
  std::vector<float> LastLogits(Runner& runner, const BlockTable& table, int first, int count) {
    std::vector<int32_t> ids, positions, sequences(count, 0);
    for (int i = first; i < first + count; ++i) {
      ids.push_back(i * 5 % 97);
      positions.push_back(i);
    }
    const BlockTable* tables[] = {&table};
    runner.Run(*model_, {ids, positions, sequences, tables});
    std::vector<float> logits(97);
    runner.Logits(*model_, {count - 1}, logits.data());
    return logits;
  }

  const std::shared_ptr<const PackedModel> model_ = TinyPacked(TinyLlama(), 1);
  kernels::ThreadPool pool_{1};
};

TEST_F(RunnerTest, TheOrderOfBlocksDoesNotMatter) {
  Runner runner(model_->config, 6, {}, pool_);
  const auto first = LastLogits(runner, {0, 1, 2}, 0, 40);
  EXPECT_EQ(first, LastLogits(runner, {5, 3, 4}, 0, 40));
}

TEST_F(RunnerTest, ACopiedBlockServesLikeItsOriginal) {
  Runner runner(model_->config, 6, {}, pool_);
  LastLogits(runner, {0, 1}, 0, 20);
  runner.CopyBlock({1, 4});
  const auto on_copy = LastLogits(runner, {0, 4}, 20, 1);
  EXPECT_EQ(on_copy, LastLogits(runner, {0, 1}, 20, 1));
}

}  // namespace
}  // namespace trainyard::rollout
