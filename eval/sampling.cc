#include "eval/sampling.h"

#include "base/json.h"
#include "base/status.h"
#include "spec/fields.h"

namespace trainyard::eval {

absl::StatusOr<Sampling> BindSampling(const SamplingText& text, std::optional<int32_t> end_of_turn,
                                      const tokenizer::Tokenizer& tokenizer) {
  Sampling sampling;
  sampling.temperature = text.temperature;
  sampling.top_k = text.top_k;
  sampling.top_p = text.top_p;
  sampling.min_p = text.min_p;
  sampling.typical_p = text.typical_p;
  sampling.repetition_penalty = text.repetition_penalty;
  sampling.presence_penalty = text.presence_penalty;
  sampling.frequency_penalty = text.frequency_penalty;
  sampling.best_of = text.best_of;
  sampling.beam = text.beam;
  sampling.max_new_tokens = text.max_new_tokens;
  sampling.min_new_tokens = text.min_new_tokens;
  sampling.stop_strings = text.stop_strings;
  sampling.ignore_eos = text.ignore_eos;
  sampling.seed = text.seed;
  sampling.samples = text.samples;
  for (const auto& [token, bias] : text.logit_bias) {
    TY_ASSIGN_OR_RETURN(const int32_t id,
                        spec::TokenOf(tokenizer, token, "sampling.logit_bias"));
    sampling.logit_bias.emplace_back(id, bias);
  }
  for (const std::string& token : text.allowed_tokens) {
    TY_ASSIGN_OR_RETURN(sampling.allowed_ids.emplace_back(),
                        spec::TokenOf(tokenizer, token, "sampling.allowed_tokens"));
  }
  for (const std::string& token : text.forbidden_tokens) {
    TY_ASSIGN_OR_RETURN(sampling.forbidden_ids.emplace_back(),
                        spec::TokenOf(tokenizer, token, "sampling.forbidden_tokens"));
  }
  if (end_of_turn.has_value()) sampling.end_ids.push_back(*end_of_turn);
  for (const std::string& token : text.stop_tokens) {
    TY_ASSIGN_OR_RETURN(sampling.end_ids.emplace_back(),
                        spec::TokenOf(tokenizer, token, "sampling.stop_tokens"));
  }
  return sampling;
}

std::string UnscoredField(const Sampling& sampling) {
  if (spec::Or(sampling.repetition_penalty, 1.0) != 1) return "repetition_penalty";
  if (sampling.presence_penalty != 0) return "presence_penalty";
  if (sampling.frequency_penalty != 0) return "frequency_penalty";
  if (!sampling.logit_bias.empty()) return "logit_bias";
  if (!sampling.allowed_ids.empty()) return "allowed_tokens";
  if (sampling.best_of > sampling.samples) return "best_of";
  return sampling.beam.width > 0 ? "beam" : "";
}

std::string Describe(const Sampling& sampling) {
  return Json{{"temperature", sampling.temperature},
              {"top_k", sampling.top_k},
              {"top_p", sampling.top_p},
              {"min_p", sampling.min_p},
              {"typical_p", sampling.typical_p},
              {"repetition_penalty", sampling.repetition_penalty},
              {"presence_penalty", sampling.presence_penalty},
              {"frequency_penalty", sampling.frequency_penalty},
              {"logit_bias", sampling.logit_bias},
              {"allowed", sampling.allowed_ids},
              {"best_of", sampling.best_of},
              {"beam", Json::array({sampling.beam.width, sampling.beam.length_penalty,
                                    sampling.beam.early_stopping})},
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
