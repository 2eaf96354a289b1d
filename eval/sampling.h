// Sampling parameters with tokens as ids: what the rollout tasks get.

#ifndef TRAINYARD_EVAL_SAMPLING_H_
#define TRAINYARD_EVAL_SAMPLING_H_

#include <cstdint>
#include <optional>
#include <string>
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
  std::vector<int32_t> forbidden_ids;
  std::vector<int32_t> end_ids;
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;
  uint64_t seed = 0;
  int32_t samples = 1;
};

// `end_of_turn` comes first among the end ids, when there is one. InvalidArgument names the token
// that the tokenizer lacks.
absl::StatusOr<Sampling> BindSampling(const SamplingText& text, std::optional<int32_t> end_of_turn,
                                      const tokenizer::Tokenizer& tokenizer);

// Everything of it that changes a token, as text.
std::string Describe(const Sampling& sampling);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_SAMPLING_H_
