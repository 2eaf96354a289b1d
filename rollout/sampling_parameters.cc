#include "rollout/sampling_parameters.h"

#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status.h"

namespace trainyard::rollout {
namespace {

constexpr double kMaxBias = 1e6;
constexpr double kMaxPenalty = 100;

absl::Status OutOfRange(absl::string_view field, double value, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat("sampling.", field, " is ", value, ": ", rule));
}

absl::Status ValidateIds(absl::string_view field, absl::Span<const int32_t> ids,
                         int vocabulary_size) {
  for (int32_t id : ids) {
    if (id < 0 || id >= vocabulary_size) {
      return OutOfRange(field, id, absl::StrCat("ids are 0..", vocabulary_size - 1));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateCuts(const SamplingParameters& p) {
  if (!(p.temperature >= 0 && p.temperature <= 100)) {
    return OutOfRange("temperature", p.temperature, "must be in [0, 100]; 0 is greedy");
  }
  if (p.temperature > 0 && p.temperature < 1e-3) {
    return OutOfRange("temperature", p.temperature, "must be 0 (greedy) or at least 0.001");
  }
  if (p.top_k < 0) return OutOfRange("top_k", p.top_k, "must be 0 (off) or more");
  if (!(p.top_p > 0 && p.top_p <= 1)) return OutOfRange("top_p", p.top_p, "must be in (0, 1]");
  if (!(p.min_p >= 0 && p.min_p <= 1)) {
    return OutOfRange("min_p", p.min_p, "must be in [0, 1]; 0 is off");
  }
  if (!(p.typical_p > 0 && p.typical_p <= 1)) {
    return OutOfRange("typical_p", p.typical_p, "must be in (0, 1]; 1 is off");
  }
  if (p.temperature > 0) return absl::OkStatus();
  constexpr absl::string_view kNoMeaning = "has no meaning at temperature 0; leave it out";
  if (p.top_k > 1) return OutOfRange("top_k", p.top_k, kNoMeaning);
  if (p.top_p < 1) return OutOfRange("top_p", p.top_p, kNoMeaning);
  if (p.min_p > 0) return OutOfRange("min_p", p.min_p, kNoMeaning);
  if (p.typical_p < 1) return OutOfRange("typical_p", p.typical_p, kNoMeaning);
  return absl::OkStatus();
}

absl::Status ValidateLengths(const SamplingParameters& p, int vocabulary_size) {
  if (p.max_new_tokens < 1) return OutOfRange("max_new_tokens", p.max_new_tokens, "must be >= 1");
  if (p.min_new_tokens < 0 || p.min_new_tokens > p.max_new_tokens) {
    return OutOfRange("min_new_tokens", p.min_new_tokens,
                      absl::StrCat("must be in 0..max_new_tokens (", p.max_new_tokens, ")"));
  }
  const int most = std::min(kMaxTopLogprobs, vocabulary_size);
  if (p.top_logprobs < 0 || p.top_logprobs > most) {
    return OutOfRange("top_logprobs", p.top_logprobs, absl::StrCat("must be in 0..", most));
  }
  for (const std::string& stop : p.stop_strings) {
    if (stop.empty()) {
      return absl::InvalidArgumentError("sampling.stop_strings holds an empty string");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidatePenalties(const SamplingParameters& p, int vocabulary_size) {
  if (!(p.repetition_penalty > 0 && p.repetition_penalty <= kMaxPenalty)) {
    return OutOfRange("repetition_penalty", p.repetition_penalty,
                      absl::StrCat("must be in (0, ", kMaxPenalty, "]; 1 is off"));
  }
  const std::string range = absl::StrCat("must be in [-", kMaxPenalty, ", ", kMaxPenalty, "]");
  if (!(std::abs(p.presence_penalty) <= kMaxPenalty)) {
    return OutOfRange("presence_penalty", p.presence_penalty, range);
  }
  if (!(std::abs(p.frequency_penalty) <= kMaxPenalty)) {
    return OutOfRange("frequency_penalty", p.frequency_penalty, range);
  }
  std::set<int32_t> biased;
  for (const TokenBias& token : p.logit_bias) {
    TY_RETURN_IF_ERROR(ValidateIds("logit_bias", {token.id}, vocabulary_size));
    if (!biased.insert(token.id).second) {
      return OutOfRange("logit_bias", token.id, "the token is given twice");
    }
    if (!(std::abs(token.bias) <= kMaxBias)) {
      return OutOfRange(absl::StrCat("logit_bias[", token.id, "]"), token.bias,
                        absl::StrCat("must be in [-", kMaxBias, ", ", kMaxBias,
                                     "]; forbidden_ids forbid a token"));
    }
  }
  return absl::OkStatus();
}

// An allowed token must be left at every position.
absl::Status ValidateMasks(const SamplingParameters& p, int vocabulary_size) {
  TY_RETURN_IF_ERROR(ValidateIds("forbidden_ids", p.forbidden_ids, vocabulary_size));
  TY_RETURN_IF_ERROR(ValidateIds("end_ids", p.end_ids, vocabulary_size));
  TY_RETURN_IF_ERROR(ValidateIds("allowed_ids", p.allowed_ids, vocabulary_size));
  if (p.allowed_ids.empty()) return absl::OkStatus();
  std::set<int32_t> masked(p.forbidden_ids.begin(), p.forbidden_ids.end());
  if (p.min_new_tokens > 0) masked.insert(p.end_ids.begin(), p.end_ids.end());
  for (int32_t id : p.allowed_ids) {
    if (masked.count(id) == 0) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "sampling.allowed_ids leave no token: forbidden_ids, or end_ids with min_new_tokens, take "
      "all of them");
}

absl::Status ValidateBeams(const SamplingParameters& p) {
  const BeamOptions& beam = p.beam;
  if (beam.width == 0) return absl::OkStatus();
  if (beam.width < 2 || beam.width > kMaxBeams) {
    return OutOfRange("beam.width", beam.width,
                      absl::StrCat("must be in 2..", kMaxBeams, ", or 0 for no beam search"));
  }
  if (!(std::abs(beam.length_penalty) <= kMaxPenalty)) {
    return OutOfRange("beam.length_penalty", beam.length_penalty,
                      absl::StrCat("must be in [-", kMaxPenalty, ", ", kMaxPenalty, "]"));
  }
  constexpr absl::string_view kNoMeaning = "a beam search draws nothing; leave it out";
  if (p.temperature != 0 && p.temperature != 1) {
    return OutOfRange("temperature", p.temperature, kNoMeaning);
  }
  if (p.top_k > 1) return OutOfRange("top_k", p.top_k, kNoMeaning);
  if (p.top_p < 1) return OutOfRange("top_p", p.top_p, kNoMeaning);
  if (p.min_p > 0) return OutOfRange("min_p", p.min_p, kNoMeaning);
  if (p.typical_p < 1) return OutOfRange("typical_p", p.typical_p, kNoMeaning);
  if (p.best_of > 1) return OutOfRange("best_of", p.best_of, kNoMeaning);
  if (p.top_logprobs > 0) {
    return OutOfRange("top_logprobs", p.top_logprobs, "not with a beam search; leave it out");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateSampling(const SamplingParameters& p, int vocabulary_size) {
  TY_RETURN_IF_ERROR(ValidateCuts(p));
  TY_RETURN_IF_ERROR(ValidateLengths(p, vocabulary_size));
  TY_RETURN_IF_ERROR(ValidatePenalties(p, vocabulary_size));
  TY_RETURN_IF_ERROR(ValidateMasks(p, vocabulary_size));
  TY_RETURN_IF_ERROR(ValidateBeams(p));
  if (p.best_of < 0) return OutOfRange("best_of", p.best_of, "must be 0 (off) or more");
  if (p.best_of > 1 && p.temperature == 0) {
    return OutOfRange("best_of", p.best_of,
                      "all samples are the same at temperature 0; leave it out");
  }
  return absl::OkStatus();
}

}  // namespace trainyard::rollout
