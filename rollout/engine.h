// Continuous generation over one model.
//
// Step() = schedule -> run -> postprocess. The Scheduler decides which sequences compute, the
// BlockPool where their cache lives, the Runner computes. Tokens and log-probs are a pure function
// of (weights, prompt, sampling parameters, seed, row, sample): not of batch mates, chunks,
// preemption, n, or the instant a request arrived. The beams of a search are sequences that share
// blocks of the cache, compute one step each and wait until all of them have.

#ifndef TRAINYARD_ROLLOUT_ENGINE_H_
#define TRAINYARD_ROLLOUT_ENGINE_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kernels/fp32.h"
#include "kernels/thread_pool.h"
#include "rollout/answer_end.h"
#include "rollout/beam_search.h"
#include "rollout/block_pool.h"
#include "rollout/packed_model.h"
#include "rollout/request_checks.h"
#include "rollout/runner.h"
#include "rollout/sampling.h"
#include "rollout/scheduler.h"
#include "rollout/sequence.h"

namespace trainyard::rollout {

struct EngineOptions {
  int threads = 1;
  int64_t cache_bytes = int64_t{1} << 30;  // of keys and values; memory is touched as it is used
  ScheduleLimits limits;
  int max_waiting_sequences = 4096;       // beyond: ResourceExhausted
  std::vector<std::string> token_bytes;   // the text of each id; empty: stop strings are refused
  // Null: the fastest here. The bits depend on them.
  const kernels::Fp32Kernels* kernels = nullptr;
  const kernels::Bf16Kernels* bf16_kernels = nullptr;  // of models with bf16 products
};

struct StepResult {
  std::vector<Completion> completions;
  std::vector<ScoreResult> scores;
  std::vector<TokenDelta> deltas;  // one for each new token of streamed samples
  int computed_tokens = 0;  // prompt, recomputed and new
  int new_tokens = 0;
  WaitReason wait_reason = WaitReason::kNone;
};

struct EngineLoad {
  int waiting = 0;  // samples and beams
  int running = 0;
  int free_blocks = 0;
  int total_blocks = 0;
  int64_t preemptions = 0;  // since the start
};

// Owned by one thread.
class Engine {
 public:
  // Internal when CheckRowIndependence fails; InvalidArgument for options that hold no sequence.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(std::shared_ptr<const PackedModel> model,
                                                        EngineOptions options);

  // Takes a request. InvalidArgument names the field (a prompt and max_new_tokens beyond the
  // context, an id outside the vocabulary, n beyond what can run at once, ...), ResourceExhausted
  // when the queue is full, AlreadyExists for a ticket in use.
  absl::Status Add(GenerateRequest request);
  absl::Status Add(ScoreRequest request);

  // Drops everything of a ticket; blocks are free at once and nothing more is reported. Returns the
  // number of answers that were still to come.
  int Cancel(uint64_t ticket);
  // Ends everything: aborted with `why`, partial tokens included, reported by the next Step.
  // Returns the number of answers that ended.
  int AbortAll(const absl::Status& why);

  // One step at `now` on the deadlines' clock; does nothing when there is no work.
  StepResult Step(absl::Duration now);

  // Weights for all requests from now on; what is in the engine follows its request's OnSwap
  // (scoring ends on the old weights). InvalidArgument for another shape, FailedPrecondition while
  // sequences still finish on the version before the present one.
  absl::Status Swap(std::shared_ptr<const PackedModel> model);

  const PackedModel& model() const { return *model_; }
  std::shared_ptr<const PackedModel> shared_model() const { return model_; }
  // Nothing in flight and nothing to report.
  bool idle() const {
    return sequences_.empty() && result_.completions.empty() && result_.scores.empty();
  }
  EngineLoad Load() const;
  std::string kernels_name() const { return KernelsName(kernels_, model_->products); }

 private:
  // A row of a run whose logits are wanted.
  struct LogitRow {
    Sequence* sequence;
    int32_t run_row;
    int32_t token;     // scoring: the given token; else unused
    int position;      // among the answer's tokens
  };
  // The rows of one run of one model.
  struct Batch {
    std::vector<int32_t> token_ids, positions, sequences;
    std::vector<const BlockTable*> tables;
    std::vector<LogitRow> logit_rows;
  };
  // What one row of logits gave.
  struct RowOutcome {
    absl::Status status;
    std::vector<TokenChoice> choices;  // one for each sample that the sequence stands for
    std::vector<TokenLogprob> ranked;  // a beam
    float logprob = 0;                 // scoring
  };
  using SequenceList = std::list<std::unique_ptr<Sequence>>;

  Engine(std::shared_ptr<const PackedModel> model, EngineOptions options, int blocks);

  absl::Status CheckRoom(uint64_t ticket, int samples) const;
  EngineLimits Limits() const;
  Plan MakePlan(absl::Duration now, absl::Span<Sequence* const> order) const;
  void Apply(const Plan& plan, absl::Span<Sequence* const> order);
  void RunModel(std::shared_ptr<const PackedModel> model, absl::Span<const PlannedRun> runs,
                absl::Span<Sequence* const> order);
  void AddRows(Sequence& sequence, int count, Batch* batch);
  void ReadLogits(const PackedModel& model, const Batch& batch);
  RowOutcome ReadRow(const LogitRow& row, Sampler& sampler, float* logits_V) const;
  void Postprocess(const LogitRow& row, RowOutcome outcome);
  void ForkSamples(Sequence& leader, absl::Span<const TokenChoice> choices);
  void Accept(Sequence& sequence, const TokenChoice& choice);
  AnswerEnd EndRule(const Sequence& sequence) const;
  // Once; of a beam, its whole search.
  void Finish(Sequence& sequence, FinishReason reason, const absl::Status& error);
  void Give(const GenerateRequest& request, Completion result);
  void Restart(Sequence& sequence);
  void EraseFinished();

  // engine_beams.cc. The beams of the same search, in order.
  std::vector<Sequence*> BeamsOf(const Sequence& beam) const;
  // The next beams, when all beams of the search have ranked their next tokens.
  void AdvanceBeams(Sequence& beam);
  void GiveBeams(Sequence& beam, const absl::Status& error);
  // Blocks that are free when the sequence, with its group, gives up its own.
  int FreedBlocks(const Sequence& sequence, bool joined) const;

  const EngineOptions options_;
  const KernelChoice kernels_;
  std::shared_ptr<const PackedModel> model_;
  kernels::ThreadPool threads_;
  BlockPool pool_;
  Runner runner_;
  std::vector<Sampler> samplers_;  // by thread
  std::vector<float> logits_MV_;
  SequenceList sequences_;         // oldest first; samples of a prompt side by side
  std::map<uint64_t, std::vector<Completion>> drawn_;  // best_of, by ticket: until all are there
  StepResult result_;              // of the step under way, and what ended before it
  int64_t preemptions_ = 0;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_ENGINE_H_
