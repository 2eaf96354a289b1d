// Sampling parameters with tokens as ids: what the rollout tasks get.

#ifndef TRAINYARD_EVAL_SAMPLING_H_
#define TRAINYARD_EVAL_SAMPLING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "eval/eval_job.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::eval {

struct Sampling {
  double temperature = 1;
  int32_t top_k = 0;
  double top_p = 0;
  int32_t max_new_tokens = 0;
  int32_t min_new_tokens = 0;
  double min_p = 0;
  double typical_p = 0;
  double repetition_penalty = 0;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<std::pair<int32_t, double>> logit_bias;
  std::vector<int32_t> allowed_ids;
  int32_t best_of = 0;
  BeamSearch beam;
  std::vector<int32_t> forbidden_ids;
  std::vector<int32_t> end_ids;
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;
  uint64_t seed = 0;
  int32_t samples = 1;
};

// `end_of_turn` comes first among the end ids, when there is one. InvalidArgument names the text
// that is not one token of the tokenizer.
absl::StatusOr<Sampling> BindSampling(const SamplingText& text, std::optional<int32_t> end_of_turn,
                                      const tokenizer::Tokenizer& tokenizer);

// The field by which the answers are no samples of a distribution that Score gives the log-probs
// of; empty when there is none.
std::string UnscoredField(const Sampling& sampling);

// Everything of it that changes a token, as text.
std::string Describe(const Sampling& sampling);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_SAMPLING_H_
