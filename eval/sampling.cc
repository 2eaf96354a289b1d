#include "eval/sampling.h"

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"

namespace trainyard::eval {

absl::StatusOr<Sampling> BindSampling(const SamplingText& text, std::optional<int32_t> end_of_turn,
                                      const tokenizer::Tokenizer& tokenizer) {
  Sampling sampling;
  sampling.temperature = text.temperature;
  sampling.top_k = text.top_k;
  sampling.top_p = text.top_p;
  sampling.max_new_tokens = text.max_new_tokens;
  sampling.min_new_tokens = text.min_new_tokens;
  sampling.stop_strings = text.stop_strings;
  sampling.ignore_eos = text.ignore_eos;
  sampling.seed = text.seed;
  sampling.samples = text.samples;
  for (const std::string& token : text.forbidden_tokens) {
    TY_ASSIGN_OR_RETURN(sampling.forbidden_ids.emplace_back(), tokenizer.RequireAddedId(token));
  }
  if (end_of_turn.has_value()) sampling.end_ids.push_back(*end_of_turn);
  for (const std::string& token : text.stop_tokens) {
    TY_ASSIGN_OR_RETURN(sampling.end_ids.emplace_back(), tokenizer.RequireAddedId(token));
  }
  return sampling;
}

std::string Describe(const Sampling& sampling) {
  return Json{{"temperature", sampling.temperature},
              {"top_k", sampling.top_k},
              {"top_p", sampling.top_p},
              {"max_new_tokens", sampling.max_new_tokens},
              {"min_new_tokens", sampling.min_new_tokens},
              {"forbidden", sampling.forbidden_ids},
              {"end", sampling.end_ids},
              {"stop", sampling.stop_strings},
              {"ignore_eos", sampling.ignore_eos},
              {"seed", sampling.seed},
              {"samples", sampling.samples}}
      .dump();
}

}  // namespace trainyard::eval
