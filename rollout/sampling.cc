#include "rollout/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace trainyard::rollout {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

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

float Logprob(float logit, float max, float inverse_temperature, double log_sum) {
  return static_cast<float>(double{logit - max} * inverse_temperature - log_sum);
}

}  // namespace

absl::Status ValidateSampling(const SamplingParameters& p, int vocabulary_size) {
  if (!(p.temperature >= 0 && p.temperature <= 100)) {
    return OutOfRange("temperature", p.temperature, "must be in [0, 100]; 0 is greedy");
  }
  if (p.temperature > 0 && p.temperature < 1e-3) {
    return OutOfRange("temperature", p.temperature, "must be 0 (greedy) or at least 0.001");
  }
  if (p.top_k < 0) return OutOfRange("top_k", p.top_k, "must be 0 (off) or more");
  if (!(p.top_p > 0 && p.top_p <= 1)) return OutOfRange("top_p", p.top_p, "must be in (0, 1]");
  if (p.temperature == 0 && p.top_k > 1) {
    return OutOfRange("top_k", p.top_k, "has no meaning at temperature 0; leave it out");
  }
  if (p.temperature == 0 && p.top_p < 1) {
    return OutOfRange("top_p", p.top_p, "has no meaning at temperature 0; leave it out");
  }
  if (p.max_new_tokens < 1) return OutOfRange("max_new_tokens", p.max_new_tokens, "must be >= 1");
  if (p.min_new_tokens < 0 || p.min_new_tokens > p.max_new_tokens) {
    return OutOfRange("min_new_tokens", p.min_new_tokens,
                      absl::StrCat("must be in 0..max_new_tokens (", p.max_new_tokens, ")"));
  }
  if (p.top_logprobs < 0 || p.top_logprobs > std::min(kMaxTopLogprobs, vocabulary_size)) {
    return OutOfRange("top_logprobs", p.top_logprobs,
                      absl::StrCat("must be in 0..", std::min(kMaxTopLogprobs, vocabulary_size)));
  }
  for (const std::string& stop : p.stop_strings) {
    if (stop.empty()) {
      return absl::InvalidArgumentError("sampling.stop_strings holds an empty string");
    }
  }
  if (absl::Status ids = ValidateIds("forbidden_ids", p.forbidden_ids, vocabulary_size);
      !ids.ok()) {
    return ids;
  }
  return ValidateIds("end_ids", p.end_ids, vocabulary_size);
}

double DrawUniform(const DrawKey& key) {
  const uint64_t row_key = DeriveKey(key.seed, "rollout row", static_cast<uint64_t>(key.row));
  const CounterRandom random(DeriveKey(row_key, "sample", static_cast<uint64_t>(key.sample)));
  return random.UniformDouble(static_cast<uint64_t>(key.position));
}

Sampler::Sampler(const kernels::Fp32Kernels& kernels, int vocabulary_size)
    : kernels_(kernels),
      mass_V_(vocabulary_size),
      chunk_sums_((vocabulary_size + kernels::kExpChunk - 1) / kernels::kExpChunk) {}

absl::StatusOr<Sampler::Softmax> Sampler::Prepare(const SamplingParameters& parameters,
                                                  int position, float* logits) {
  const int size = static_cast<int>(mass_V_.size());
  for (int32_t id : parameters.forbidden_ids) logits[id] = kForbidden;
  if (position < parameters.min_new_tokens) {
    for (int32_t id : parameters.end_ids) logits[id] = kForbidden;
  }
  Softmax softmax;
  softmax.max = kernels_.row_max(logits, size);
  if (softmax.max == kForbidden) {
    return absl::InternalError(absl::StrCat("every token is forbidden at position ", position));
  }
  if (!std::isfinite(softmax.max)) {
    return absl::InternalError(absl::StrCat("logits at position ", position, " are not finite"));
  }
  const double temperature = parameters.temperature == 0 ? 1 : parameters.temperature;
  softmax.inverse_temperature = static_cast<float>(1 / temperature);
  softmax.sum = kernels_.exp_sum({logits, size, softmax.max, softmax.inverse_temperature,
                                  mass_V_.data(), chunk_sums_.data()});
  softmax.log_sum = std::log(softmax.sum);
  return softmax;
}

absl::StatusOr<TokenChoice> Sampler::Choose(const SamplingParameters& parameters,
                                            const DrawKey& key, float* logits) {
  auto prepared = Prepare(parameters, key.position, logits);
  if (!prepared.ok()) return prepared.status();
  const Softmax& softmax = *prepared;
  const int size = static_cast<int>(mass_V_.size());
  TokenChoice choice;
  const bool cut = parameters.top_k > 0 || parameters.top_p < 1;
  if (parameters.temperature == 0) {
    choice.id = static_cast<int32_t>(std::find(logits, logits + size, softmax.max) - logits);
  } else if (cut) {
    const double kept = Cut(parameters, softmax.sum);
    choice.id = DrawFromKept(DrawUniform(key) * kept);
    choice.log_kept_mass = static_cast<float>(std::log(std::min(1.0, kept / softmax.sum)));
  } else {
    choice.id = DrawFromAll(DrawUniform(key) * softmax.sum);
  }
  const auto logprob = [&](int32_t id) {
    return Logprob(logits[id], softmax.max, softmax.inverse_temperature, softmax.log_sum);
  };
  choice.logprob = logprob(choice.id);
  if (parameters.top_logprobs > 0) {
    SortMostLikely(parameters.top_logprobs);
    for (int i = 0; i < parameters.top_logprobs; ++i) {
      choice.top.push_back({order_[i], logprob(order_[i])});
    }
  }
  return choice;
}

absl::StatusOr<float> Sampler::Score(const SamplingParameters& parameters, int position,
                                     int32_t token, float* logits) {
  auto softmax = Prepare(parameters, position, logits);
  if (!softmax.ok()) return softmax.status();
  return Logprob(logits[token], softmax->max, softmax->inverse_temperature, softmax->log_sum);
}

void Sampler::SortMostLikely(size_t count) {
  order_.resize(mass_V_.size());
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int32_t>(i);
  const auto more_likely = [this](int32_t a, int32_t b) {
    return mass_V_[a] != mass_V_[b] ? mass_V_[a] > mass_V_[b] : a < b;
  };
  std::partial_sort(order_.begin(), order_.begin() + std::min(count, order_.size()), order_.end(),
                    more_likely);
}

double Sampler::Cut(const SamplingParameters& parameters, double sum) {
  const size_t size = mass_V_.size();
  size_t keep = parameters.top_k > 0 ? std::min<size_t>(parameters.top_k, size) : size;
  double total = sum;
  // Most distributions have their mass in few tokens: sort more only when it is needed.
  size_t sorted = parameters.top_k > 0 ? keep : std::min<size_t>(64, size);
  SortMostLikely(sorted);
  if (parameters.top_k > 0) {
    total = 0;
    for (size_t i = 0; i < keep; ++i) total += mass_V_[order_[i]];
  }
  if (parameters.top_p < 1) {
    double mass = 0;
    for (size_t i = 0; i < keep; ++i) {
      if (i == sorted) SortMostLikely(sorted = std::min(size, sorted * 8));
      mass += mass_V_[order_[i]];
      if (mass >= parameters.top_p * total) keep = i + 1;
    }
  }
  kept_ids_.assign(order_.begin(), order_.begin() + keep);
  std::sort(kept_ids_.begin(), kept_ids_.end());
  double kept = 0;
  for (int32_t id : kept_ids_) kept += mass_V_[id];
  return kept;
}

int32_t Sampler::DrawFromKept(double target) const {
  double mass = 0;
  int32_t last = kept_ids_.front();
  for (int32_t id : kept_ids_) {
    if (mass_V_[id] == 0) continue;
    mass += mass_V_[id];
    last = id;
    if (mass > target) break;
  }
  return last;
}

int32_t Sampler::DrawFromAll(double target) const {
  // Rounding may put the target at the very end of a chunk, or of all: then the last token there
  // that has any mass is the one.
  size_t chunk = 0, last_chunk = 0;
  double before = 0, mass = 0;
  for (; chunk < chunk_sums_.size(); ++chunk) {
    if (chunk_sums_[chunk] == 0) continue;
    last_chunk = chunk;
    before = mass;
    mass += chunk_sums_[chunk];
    if (mass > target) break;
  }
  const size_t begin = last_chunk * kernels::kExpChunk;
  const size_t end = std::min(mass_V_.size(), begin + kernels::kExpChunk);
  int32_t last = -1;
  for (size_t i = begin; i < end; ++i) {
    if (mass_V_[i] == 0) continue;
    last = static_cast<int32_t>(i);
    before += mass_V_[i];
    if (before > target) break;
  }
  return last;
}

}  // namespace trainyard::rollout
