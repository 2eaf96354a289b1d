// Which sequences compute how many tokens in the next engine step. A pure function over lengths: it
// sees no tokens, no memory and no clock.
//
// Rules, in this order:
//   1. A sequence past its deadline ends.
//   2. Every running sequence that only needs its next token gets it (continuous batching).
//   3. What is left of the step's tokens goes to prompts that are being read, in chunks, oldest
//      first.
//   4. A running sequence that finds no block preempts the youngest running one, which gives its
//      blocks back and is read again later (recompute), keeping its tokens.
//   5. Waiting sequences are admitted strictly in order, when nothing was preempted and there are
//      blocks for the whole prompt and one more for each of its samples, beside what the running
//      ones need next. A prompt's samples are admitted together.
//   6. A group of sequences that wait for one another (beams) is admitted as a whole and preempted
//      as a whole: a part of it would hold blocks that the rest needs.

#ifndef TRAINYARD_ROLLOUT_SCHEDULER_H_
#define TRAINYARD_ROLLOUT_SCHEDULER_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace trainyard::rollout {

struct ScheduleLimits {
  int max_step_tokens = 512;        // tokens computed in one step
  int max_running_sequences = 256;  // samples
};

// What the scheduler knows of one sequence.
struct SequenceLengths {
  bool running = false;  // admitted
  bool joined = false;   // belongs to the group of the sequence before it, and shares its deadline
  int tokens = 0;        // tokens that must be in the cache before the next one is chosen
  int computed = 0;      // tokens in the cache; < tokens, or equal while it waits for its group
  int width = 1;         // samples it will become when its prompt is read
  int held_blocks = 0;
  int exclusive_blocks = 0;  // of those, held by nobody else; a group's are all its first one's
  bool shared_tail = false;  // the block of token `computed` is held by others too
  absl::Duration deadline = absl::InfiniteDuration();
};

struct PlannedRun {
  int sequence = 0;  // index in the input
  int tokens = 0;    // tokens to compute, from `computed` on
};

// Why the first waiting sequence still waits.
enum class WaitReason { kNone, kStepTokens, kRunningSequences, kBlocks, kPreemption };

struct Plan {
  std::vector<int> expired;    // indices in the input
  std::vector<int> preempted;  // give up all blocks, wait again at their old place
  std::vector<int> admitted;
  std::vector<PlannedRun> runs;
  WaitReason wait_reason = WaitReason::kNone;
};

// `sequences` oldest first; `now` on the deadlines' clock.
struct ScheduleInput {
  absl::Span<const SequenceLengths> sequences;
  int free_blocks = 0;
  absl::Duration now;
};

Plan Schedule(const ScheduleInput& input, const ScheduleLimits& limits);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_SCHEDULER_H_
