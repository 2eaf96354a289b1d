#include "rollout/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::rollout {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// Of two equals the lower id comes first.
struct MoreLikely {
  const float* mass_V;
  bool operator()(int32_t a, int32_t b) const {
    return mass_V[a] != mass_V[b] ? mass_V[a] > mass_V[b] : a < b;
  }
};

}  // namespace

double DrawUniform(const DrawKey& key) {
  const uint64_t row_key = DeriveKey(key.seed, "rollout row", static_cast<uint64_t>(key.row));
  const CounterRandom random(DeriveKey(row_key, "sample", static_cast<uint64_t>(key.sample)));
  return random.UniformDouble(static_cast<uint64_t>(key.position));
}

Sampler::Sampler(const kernels::Fp32Kernels& kernels, int vocabulary_size)
    : kernels_(kernels),
      mass_V_(vocabulary_size),
      chunk_sums_((vocabulary_size + kernels::kExpChunk - 1) / kernels::kExpChunk) {}

void Sampler::Penalise(const SamplingParameters& parameters, const TokenHistory& history,
                       float* logits) {
  counts_V_.resize(mass_V_.size());
  if (parameters.repetition_penalty != 1) {
    const float penalty = static_cast<float>(parameters.repetition_penalty);
    for (const auto& ids : {history.prompt_ids, history.answer_ids}) {
      for (int32_t id : ids) {
        if (counts_V_[id]++ > 0) continue;
        logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
      }
    }
    for (const auto& ids : {history.prompt_ids, history.answer_ids}) {
      for (int32_t id : ids) counts_V_[id] = 0;
    }
  }
  if (parameters.presence_penalty == 0 && parameters.frequency_penalty == 0) return;
  for (int32_t id : history.answer_ids) ++counts_V_[id];
  for (int32_t id : history.answer_ids) {
    if (counts_V_[id] == 0) continue;
    logits[id] -= static_cast<float>(parameters.presence_penalty +
                                     parameters.frequency_penalty * counts_V_[id]);
    counts_V_[id] = 0;
  }
}

void Sampler::KeepAllowed(const std::vector<int32_t>& allowed_ids, float* logits) {
  allowed_.clear();
  for (int32_t id : allowed_ids) allowed_.push_back(logits[id]);
  std::fill(logits, logits + mass_V_.size(), kForbidden);
  for (size_t i = 0; i < allowed_ids.size(); ++i) logits[allowed_ids[i]] = allowed_[i];
}

void Sampler::Adjust(const SamplingParameters& parameters, const TokenHistory& history,
                     float* logits) {
  for (const TokenBias& token : parameters.logit_bias) {
    logits[token.id] += static_cast<float>(token.bias);
  }
  if (parameters.repetition_penalty != 1 || parameters.presence_penalty != 0 ||
      parameters.frequency_penalty != 0) {
    Penalise(parameters, history, logits);
  }
  for (int32_t id : parameters.forbidden_ids) logits[id] = kForbidden;
  if (static_cast<int>(history.answer_ids.size()) < parameters.min_new_tokens) {
    for (int32_t id : parameters.end_ids) logits[id] = kForbidden;
  }
  if (!parameters.allowed_ids.empty()) KeepAllowed(parameters.allowed_ids, logits);
}

absl::StatusOr<Sampler::Softmax> Sampler::Normalise(double temperature, size_t position,
                                                    const float* logits) {
  const int size = static_cast<int>(mass_V_.size());
  Softmax softmax;
  softmax.max = kernels_.row_max(logits, size);
  if (softmax.max == kForbidden) {
    return absl::InternalError(absl::StrCat("every token is forbidden at position ", position));
  }
  if (!std::isfinite(softmax.max)) {
    return absl::InternalError(absl::StrCat("logits at position ", position, " are not finite"));
  }
  softmax.inverse_temperature = static_cast<float>(1 / (temperature == 0 ? 1 : temperature));
  softmax.sum = kernels_.exp_sum({logits, size, softmax.max, softmax.inverse_temperature,
                                  mass_V_.data(), chunk_sums_.data()});
  softmax.log_sum = std::log(softmax.sum);
  return softmax;
}

absl::StatusOr<std::vector<TokenChoice>> Sampler::Choose(const SamplingParameters& parameters,
                                                         absl::Span<const DrawKey> draws,
                                                         const TokenHistory& history,
                                                         float* logits) {
  Adjust(parameters, history, logits);
  TY_ASSIGN_OR_RETURN(const Softmax softmax,
                      Normalise(parameters.temperature, history.answer_ids.size(), logits));
  const bool greedy = parameters.temperature == 0;
  const bool cut = !greedy && Cuts(parameters);
  const double kept = cut ? Cut(parameters, softmax, logits) : softmax.sum;
  if (parameters.top_logprobs > 0) SortMostLikely(parameters.top_logprobs);
  std::vector<TokenChoice> choices;
  for (const DrawKey& draw : draws) {
    TokenChoice& choice = choices.emplace_back();
    if (greedy) {
      choice.id = static_cast<int32_t>(
          std::find(logits, logits + mass_V_.size(), softmax.max) - logits);
    } else {
      const double target = DrawUniform(draw) * kept;
      choice.id = cut ? DrawFromKept(target) : DrawFromAll(target);
    }
    choice.logprob = softmax.Logprob(logits[choice.id]);
    if (cut) choice.log_kept_mass = static_cast<float>(std::log(std::min(1.0, kept / softmax.sum)));
    for (int i = 0; i < parameters.top_logprobs; ++i) {
      choice.top.push_back({order_[i], softmax.Logprob(logits[order_[i]])});
    }
  }
  return choices;
}

absl::StatusOr<float> Sampler::Score(const SamplingParameters& parameters,
                                     const TokenHistory& history, int32_t token, float* logits) {
  Adjust(parameters, history, logits);
  TY_ASSIGN_OR_RETURN(const Softmax softmax,
                      Normalise(parameters.temperature, history.answer_ids.size(), logits));
  return softmax.Logprob(logits[token]);
}

absl::StatusOr<std::vector<TokenLogprob>> Sampler::Rank(const SamplingParameters& parameters,
                                                        const TokenHistory& history, int count,
                                                        float* logits) {
  TY_ASSIGN_OR_RETURN(const Softmax softmax, Normalise(1, history.answer_ids.size(), logits));
  order_.resize(mass_V_.size());
  for (size_t i = 0; i < order_.size(); ++i) {
    logits[i] = softmax.Logprob(logits[i]);
    order_[i] = static_cast<int32_t>(i);
  }
  Adjust(parameters, history, logits);
  const size_t most = std::min(order_.size(), static_cast<size_t>(count));
  std::partial_sort(order_.begin(), order_.begin() + most, order_.end(),
                    [logits](int32_t a, int32_t b) {
                      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                    });
  std::vector<TokenLogprob> best;
  for (size_t i = 0; i < most && logits[order_[i]] != kForbidden; ++i) {
    best.push_back({order_[i], logits[order_[i]]});
  }
  if (!best.empty()) return best;
  return absl::InternalError(absl::StrCat("every token is forbidden at position ",
                                          history.answer_ids.size()));
}

void Sampler::SortMostLikely(size_t count) {
  order_.resize(mass_V_.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::partial_sort(order_.begin(), order_.begin() + std::min(count, order_.size()), order_.end(),
                    MoreLikely{mass_V_.data()});
}

template <typename Before>
size_t Sampler::ShortestPrefix(std::vector<int32_t>& ids, double target,
                               const Before& before) const {
  // Most distributions have their mass in few tokens: sort more only when it is needed.
  size_t sorted = 0;
  double mass = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i == sorted) {
      const size_t next = std::min(ids.size(), std::max<size_t>(64, 8 * sorted));
      std::partial_sort(ids.begin() + sorted, ids.begin() + next, ids.end(), before);
      sorted = next;
    }
    mass += mass_V_[ids[i]];
    if (mass >= target) return i + 1;
  }
  return ids.size();
}

void Sampler::KeepMostLikely(const SamplingParameters& parameters, double sum) {
  const size_t size = mass_V_.size();
  const size_t most =
      parameters.top_k > 0 ? std::min<size_t>(parameters.top_k, size) : size;
  if (most < size) {
    SortMostLikely(most);
    kept_ids_.assign(order_.begin(), order_.begin() + most);
    sum = 0;
    for (int32_t id : kept_ids_) sum += mass_V_[id];
  } else {
    kept_ids_.resize(size);
    std::iota(kept_ids_.begin(), kept_ids_.end(), 0);
  }
  if (parameters.top_p < 1) {
    kept_ids_.resize(
        ShortestPrefix(kept_ids_, parameters.top_p * sum, MoreLikely{mass_V_.data()}));
  }
}

void Sampler::KeepTypical(double typical_p, const Softmax& softmax, const float* logits) {
  double sum = 0;
  for (int32_t id : kept_ids_) sum += mass_V_[id];
  const double log_sum = std::log(sum);
  surprise_V_.resize(mass_V_.size());
  double entropy = 0;
  for (int32_t id : kept_ids_) {
    surprise_V_[id] = log_sum - double{logits[id] - softmax.max} * softmax.inverse_temperature;
    if (mass_V_[id] > 0) entropy += mass_V_[id] / sum * surprise_V_[id];
  }
  for (int32_t id : kept_ids_) surprise_V_[id] = std::abs(surprise_V_[id] - entropy);
  const size_t count =
      ShortestPrefix(kept_ids_, typical_p * sum, [this](int32_t a, int32_t b) {
        return surprise_V_[a] != surprise_V_[b] ? surprise_V_[a] < surprise_V_[b] : a < b;
      });
  // Equals of the last one stay too.
  const double last = surprise_V_[kept_ids_[count - 1]];
  kept_ids_.erase(std::remove_if(kept_ids_.begin() + count, kept_ids_.end(),
                                 [&](int32_t id) { return surprise_V_[id] != last; }),
                  kept_ids_.end());
}

double Sampler::Cut(const SamplingParameters& parameters, const Softmax& softmax,
                    const float* logits) {
  KeepMostLikely(parameters, softmax.sum);
  if (parameters.min_p > 0) {  // the most likely token's mass is 1
    kept_ids_.erase(
        std::remove_if(kept_ids_.begin(), kept_ids_.end(),
                       [&](int32_t id) { return mass_V_[id] < parameters.min_p; }),
        kept_ids_.end());
  }
  if (parameters.typical_p < 1) KeepTypical(parameters.typical_p, softmax, logits);
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
