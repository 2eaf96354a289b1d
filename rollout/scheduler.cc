#include "rollout/scheduler.h"

#include <algorithm>
#include <utility>

#include "rollout/block_pool.h"

namespace trainyard::rollout {
namespace {

// The plan while it is made. `free_` is what would be free after the plan so far, never too much:
// blocks that two released sequences shared are not counted.
class Planner {
 public:
  Planner(const ScheduleInput& input, const ScheduleLimits& limits)
      : input_(input),
        limits_(limits),
        free_(input.free_blocks),
        tokens_left_(limits.max_step_tokens),
        slots_(input.sequences.size()) {}

  Plan Make() && {
    Expire();
    for (const bool next_token : {true, false}) {
      for (size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i].active && (Need(i) == 1) == next_token) RunOne(i);
      }
    }
    Admit();
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].run > 0) plan_.runs.push_back({static_cast<int>(i), slots_[i].run});
    }
    return std::move(plan_);
  }

 private:
  struct Slot {
    bool active = false;  // running, not expired and not preempted
    int run = 0;          // planned tokens
    int blocks = 0;       // planned new blocks
  };

  const SequenceLengths& At(size_t i) const { return input_.sequences[i]; }
  int Need(size_t i) const { return At(i).tokens - At(i).computed; }

  void Expire() {
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (At(i).deadline <= input_.now) {
        plan_.expired.push_back(static_cast<int>(i));
        free_ += At(i).exclusive_blocks;
      } else {
        slots_[i].active = At(i).running;
        running_ += At(i).running ? At(i).width : 0;
      }
    }
  }

  int BlocksOf(size_t i, int run) const {
    const SequenceLengths& sequence = At(i);
    return std::max(0, BlocksFor(sequence.computed + run) - sequence.held_blocks) +
           (sequence.shared_tail ? 1 : 0);
  }

  void RunOne(size_t i) {
    const int run = std::min(Need(i), tokens_left_);
    if (run == 0) return;
    const int blocks = BlocksOf(i, run);
    while (blocks > free_) {
      const size_t victim = First(Youngest());
      for (size_t j = victim; j < End(victim); ++j) Preempt(j);
      if (victim <= i && i < End(victim)) return;
    }
    slots_[i].run = run;
    slots_[i].blocks = blocks;
    free_ -= blocks;
    tokens_left_ -= run;
  }

  // The group of sequence i is [First(i), End(First(i))).
  size_t First(size_t i) const {
    while (At(i).joined) --i;
    return i;
  }
  size_t End(size_t first) const {
    size_t end = first + 1;
    while (end < slots_.size() && At(end).joined) ++end;
    return end;
  }

  size_t Youngest() const {
    size_t i = slots_.size() - 1;
    while (!slots_[i].active) --i;
    return i;
  }

  void Preempt(size_t i) {
    free_ += slots_[i].blocks + At(i).exclusive_blocks;
    tokens_left_ += slots_[i].run;
    running_ -= At(i).width;
    slots_[i] = Slot();
    plan_.preempted.push_back(static_cast<int>(i));
  }

  // Blocks that the running sequences need soon: the rest of prompts being read, and one for each
  // sample that grows.
  int Reserved() const {
    int blocks = 0;
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].active) continue;
      const int rest = BlocksFor(At(i).tokens) - At(i).held_blocks - slots_[i].blocks;
      blocks += std::max(0, rest) + At(i).width;
    }
    return blocks;
  }

  void Admit() {
    int reserved = Reserved();
    for (size_t i = 0; i < slots_.size(); i = End(i)) {
      const bool expired = At(i).deadline <= input_.now;
      if (At(i).running || expired) continue;
      plan_.wait_reason = Obstacle(i, reserved);
      if (plan_.wait_reason != WaitReason::kNone) return;
      for (size_t j = i; j < End(i); ++j) {
        const int run = std::min(Need(j), tokens_left_);
        plan_.admitted.push_back(static_cast<int>(j));
        slots_[j] = {true, run, BlocksOf(j, run)};
        free_ -= slots_[j].blocks;
        reserved += BlocksFor(At(j).tokens) - slots_[j].blocks + At(j).width;
        tokens_left_ -= run;
        running_ += At(j).width;
      }
    }
  }

  WaitReason Obstacle(size_t first, int reserved) const {
    if (!plan_.preempted.empty()) return WaitReason::kPreemption;
    if (tokens_left_ == 0) return WaitReason::kStepTokens;
    int width = 0, wanted = 0;
    for (size_t i = first; i < End(first); ++i) {
      width += At(i).width;
      wanted += BlocksFor(At(i).tokens) + At(i).width;
    }
    if (running_ + width > limits_.max_running_sequences) return WaitReason::kRunningSequences;
    return wanted + reserved > free_ ? WaitReason::kBlocks : WaitReason::kNone;
  }

  const ScheduleInput& input_;
  const ScheduleLimits& limits_;
  int free_;
  int tokens_left_;
  int running_ = 0;
  std::vector<Slot> slots_;
  Plan plan_;
};

}  // namespace

Plan Schedule(const ScheduleInput& input, const ScheduleLimits& limits) {
  return Planner(input, limits).Make();
}

}  // namespace trainyard::rollout
