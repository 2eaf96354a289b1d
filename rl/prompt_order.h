// Which prompt a ledger row draws. Pure: the draw number is the cursor.

#ifndef TRAINYARD_RL_PROMPT_ORDER_H_
#define TRAINYARD_RL_PROMPT_ORDER_H_

#include <cstdint>
#include <vector>

namespace trainyard::rl {

// A place in the endless sequence of draws.
struct PromptDraw {
  int64_t row = 0;     // ledger row = number of the draw in this run
  int64_t pass = 0;    // how often the prompt set was used up before
  int64_t prompt = 0;  // index into the prompt set
};

// Draws every prompt once per pass, in an order of its own for each pass. Owned by one thread: it
// keeps the permutation of the pass it was last asked about.
class PromptOrder {
 public:
  // prompt_count >= 1. `seed` is the run's.
  PromptOrder(uint64_t seed, int64_t prompt_count);

  // The draw of ledger row `row` >= 0. The same row gives the same draw, whatever was asked before.
  PromptDraw At(int64_t row);

  // Rows [first_row, first_row + count).
  std::vector<PromptDraw> Take(int64_t first_row, int64_t count);

 private:
  const uint64_t seed_;
  const int64_t prompt_count_;
  int64_t pass_ = -1;
  std::vector<uint64_t> permutation_;
};

// The seed of the random numbers of one sample: a function of (run seed, ledger row, sample), so
// that a retry repeats its tokens and a later draw of the same prompt does not.
uint64_t SampleSeed(uint64_t run_seed, int64_t row, int64_t sample);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_PROMPT_ORDER_H_
