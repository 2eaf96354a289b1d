#include "rl/prompt_order.h"

#include "base/random.h"
#include "base/status.h"

namespace trainyard::rl {

PromptOrder::PromptOrder(uint64_t seed, int64_t prompt_count)
    : seed_(seed), prompt_count_(prompt_count) {
  TY_CHECK(prompt_count >= 1);
}

PromptDraw PromptOrder::At(int64_t row) {
  TY_CHECK(row >= 0);
  const int64_t pass = row / prompt_count_;
  if (pass != pass_) {
    permutation_ = Permutation(DeriveKey(seed_, "ppo-prompts", static_cast<uint64_t>(pass)),
                               static_cast<uint64_t>(prompt_count_));
    pass_ = pass;
  }
  return {row, pass, static_cast<int64_t>(permutation_[row % prompt_count_])};
}

std::vector<PromptDraw> PromptOrder::Take(int64_t first_row, int64_t count) {
  std::vector<PromptDraw> draws;
  draws.reserve(count);
  for (int64_t row = first_row; row < first_row + count; ++row) draws.push_back(At(row));
  return draws;
}

uint64_t SampleSeed(uint64_t run_seed, int64_t row, int64_t sample) {
  return DeriveKey(DeriveKey(run_seed, "ppo-row", static_cast<uint64_t>(row)), "sample",
                   static_cast<uint64_t>(sample));
}

}  // namespace trainyard::rl
