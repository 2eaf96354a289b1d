// What goes into the engine and what comes out of it: plain data.

#ifndef TRAINYARD_ROLLOUT_SEQUENCE_H_
#define TRAINYARD_ROLLOUT_SEQUENCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "rollout/block_pool.h"
#include "rollout/packed_model.h"
#include "rollout/sampling.h"

namespace trainyard::rollout {

// What happens to sequences in flight when new weights are swapped in.
enum class OnSwap {
  kFinishOld,     // they end on the weights they began with
  kContinueNew,   // their cache is computed again with the new weights, which choose what follows
  kAbortPartial,  // they end now, with the tokens they have
};

// n samples of one prompt.
struct GenerateRequest {
  uint64_t ticket = 0;  // the caller's name for it; unique among what is in the engine
  int64_t row = 0;      // keys the random numbers, with `seed` and the sample's index
  std::vector<int32_t> prompt_ids;
  int n = 1;
  int first_sample = 0;  // samples first_sample .. first_sample + n - 1
  SamplingParameters sampling;
  uint64_t seed = 0;
  OnSwap on_swap = OnSwap::kFinishOld;
  absl::Duration deadline = absl::InfiniteDuration();  // on the clock given to Engine::Step
};

// Log-probs of given tokens. Of the sampling parameters, temperature (0 counts as 1),
// forbidden_ids, min_new_tokens and end_ids matter; the answer begins at `begin`.
struct ScoreRequest {
  uint64_t ticket = 0;
  std::vector<int32_t> token_ids;
  int begin = 1;  // first token whose log-prob is wanted; >= 1
  SamplingParameters sampling;
  absl::Duration deadline = absl::InfiniteDuration();
};

enum class FinishReason {
  kEnd,      // an end id
  kStop,     // a stop string
  kLength,   // max_new_tokens or the context
  kAborted,  // `error` says why; tokens are partial
};

// New tokens [begin, end) that one policy version chose.
struct VersionSpan {
  int begin = 0;
  int end = 0;
  int64_t version = 0;
};

// One finished sample. All vectors but `spans` have one entry per new token.
struct Completion {
  uint64_t ticket = 0;
  int64_t row = 0;
  int32_t sample = 0;
  std::vector<int32_t> token_ids;  // new tokens only
  std::vector<float> logprobs;
  std::vector<float> log_kept_mass;
  std::vector<std::vector<TokenLogprob>> top;  // empty unless asked for
  std::vector<VersionSpan> spans;
  FinishReason finish = FinishReason::kAborted;
  absl::Status error;  // not OK exactly when aborted
};

struct ScoreResult {
  uint64_t ticket = 0;
  absl::Status status;
  std::vector<float> logprobs;  // of tokens begin .. end
  int64_t version = 0;
};

// A sequence in flight; the engine's own.
struct Sequence {
  uint64_t ticket = 0;
  bool scoring = false;
  std::shared_ptr<const GenerateRequest> request;  // generation: shared by the samples
  std::shared_ptr<const ScoreRequest> score;       // scoring
  std::shared_ptr<const PackedModel> model;
  std::vector<int32_t> tokens;  // prompt and new tokens
  int prompt_tokens = 0;
  int32_t sample = 0;
  int width = 1;  // samples it stands for until the prompt is read
  bool running = false;
  bool finished = false;  // reported; about to be removed
  int computed = 0;  // tokens in the cache
  BlockTable blocks;
  std::string text_tail;  // of the new tokens: as much as a stop string may span
  Completion result;      // filled as tokens are chosen
  std::vector<float> scored;

  int new_tokens() const { return static_cast<int>(tokens.size()) - prompt_tokens; }
  // Tokens that must be in the cache before the next one can be chosen or scored.
  int wanted() const { return static_cast<int>(tokens.size()) - (scoring ? 1 : 0); }
  absl::Duration deadline() const { return scoring ? score->deadline : request->deadline; }
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_SEQUENCE_H_
