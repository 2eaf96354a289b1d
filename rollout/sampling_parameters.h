// How the tokens of an answer are chosen, as a request says it.

#ifndef TRAINYARD_ROLLOUT_SAMPLING_PARAMETERS_H_
#define TRAINYARD_ROLLOUT_SAMPLING_PARAMETERS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace trainyard::rollout {

struct TokenBias {
  int32_t id = 0;
  double bias = 0;
};

// When a beam search ends once `width` hypotheses have ended.
enum class EarlyStopping {
  kHeuristic,  // no open one is better, by its present length
  kFirst,      // at once
  kNever,      // no open one can become better
};

struct BeamOptions {
  int width = 0;  // 0 = no beam search
  double length_penalty = 1;
  EarlyStopping early_stopping = EarlyStopping::kHeuristic;
};

struct SamplingParameters {
  double temperature = 1;  // 0 = greedy
  int top_k = 0;           // 0 = off
  double top_p = 1;        // 1 = off
  double min_p = 0;        // 0 = off
  double typical_p = 1;    // 1 = off
  int max_new_tokens = 0;
  int min_new_tokens = 0;              // end_ids are forbidden for the first so many tokens
  std::vector<int32_t> forbidden_ids;  // never sampled
  std::vector<int32_t> allowed_ids;    // nothing else is sampled; empty = all
  std::vector<TokenBias> logit_bias;   // of distinct tokens
  double repetition_penalty = 1;       // 1 = off
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<int32_t> end_ids;        // end a sequence, and are kept in it
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;  // end_ids do not end a sequence
  int top_logprobs = 0;     // log-probs of the so many most likely tokens; 0 = none
  int best_of = 0;          // samples drawn, of which a request's n are kept; 0 = n
  BeamOptions beam;
};

inline constexpr int kMaxTopLogprobs = 64;
inline constexpr int kMaxBeams = 64;

// What top-k, top-p, min-p and typical-p leave is not everything.
inline bool Cuts(const SamplingParameters& p) {
  return p.top_k > 0 || p.top_p < 1 || p.min_p > 0 || p.typical_p < 1;
}

// Samples computed for a prompt of which `n` are given.
inline int Drawn(const SamplingParameters& p, int n) {
  return p.beam.width > 0 ? p.beam.width : std::max(n, p.best_of);
}

// InvalidArgument names the field, its value and its limits; `vocabulary_size` bounds the ids. A
// combination in which one field would be without effect is refused.
absl::Status ValidateSampling(const SamplingParameters& parameters, int vocabulary_size);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_SAMPLING_PARAMETERS_H_
