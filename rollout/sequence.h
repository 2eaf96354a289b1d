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

// n answers to one prompt: samples, the best of more samples, or the best hypotheses of a beam
// search.
struct GenerateRequest {
  uint64_t ticket = 0;  // the caller's name for it; unique among what is in the engine
  int64_t row = 0;      // keys the random numbers, with `seed` and the sample's index
  std::vector<int32_t> prompt_ids;
  int n = 1;
  // Samples first_sample .. first_sample + n - 1; of best_of, n of so many; hypotheses, the best
  // first.
  int first_sample = 0;
  SamplingParameters sampling;
  uint64_t seed = 0;
  OnSwap on_swap = OnSwap::kFinishOld;
  bool stream = false;  // tokens are reported as they are chosen
  absl::Duration deadline = absl::InfiniteDuration();  // on the clock given to Engine::Step
};

// Log-probs of given tokens under the policy's distribution (sampling.h; temperature 0 counts as
// 1): what cuts it does not matter. The answer begins at `begin`.
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

// Adds a chosen token and what is known of it.
inline void AppendToken(Completion* result, const TokenChoice& choice, int64_t version) {
  const int index = static_cast<int>(result->token_ids.size());
  if (result->spans.empty() || result->spans.back().version != version) {
    result->spans.push_back({index, index, version});
  }
  result->spans.back().end = index + 1;
  result->token_ids.push_back(choice.id);
  result->logprobs.push_back(choice.logprob);
  result->log_kept_mass.push_back(choice.log_kept_mass);
  if (!choice.top.empty()) result->top.push_back(choice.top);
}

// What a streamed sample has gained in one step.
struct TokenDelta {
  uint64_t ticket = 0;
  int64_t row = 0;
  int32_t sample = 0;
  std::vector<int32_t> token_ids;
};

struct ScoreResult {
  uint64_t ticket = 0;
  absl::Status status;
  std::vector<float> logprobs;  // of tokens begin .. end
  int64_t version = 0;
};

class BeamSearch;

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
  int width = 1;  // samples, or beams, it stands for until the prompt is read
  std::shared_ptr<BeamSearch> search;  // of a beam: shared by the beams, which lie side by side
  std::vector<TokenLogprob> ranked;    // a beam's next tokens, when all others are not known yet
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
