// How a token is chosen from logits, and what its probability was.
//
// The order, which is transformers' where both have a step:
//   1. logit_bias is added to logits.
//   2. repetition_penalty (arXiv:1909.05858): the logit of a token that prompt or answer holds is
//      divided by it where positive, else multiplied, once however often the token occurs.
//   3. presence_penalty, and frequency_penalty for each time, are subtracted from the logits of
//      tokens that the answer holds.
//   4. forbidden_ids, end_ids before min_new_tokens, and all but allowed_ids get no probability.
//   5. logits / temperature.
//   6. top-k, top-p, min-p (a share of the most likely token's probability), locally typical
//      (arXiv:2202.00666), each of what the one before left.
//
// The policy's distribution is the softmax after step 5, in fp32 over sums of a fixed order. Its
// log-probs are what is reported. Step 6 cuts the distribution that is drawn from; the log of the
// mass it kept is reported beside, so that log-prob minus log_kept_mass is the log-prob of the
// draw. Temperature 0 is greedy: the most likely token, the lowest id of equals; its log-probs are
// at temperature 1. A beam search is not a policy: see Sampler::Rank.

#ifndef TRAINYARD_ROLLOUT_SAMPLING_H_
#define TRAINYARD_ROLLOUT_SAMPLING_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kernels/fp32.h"
#include "rollout/sampling_parameters.h"

namespace trainyard::rollout {

// Which draw a random number belongs to. `position` counts the sampled tokens of the sequence.
struct DrawKey {
  uint64_t seed = 0;
  int64_t row = 0;
  int32_t sample = 0;
  int32_t position = 0;
};

// Uniform in [0, 1), a pure function of the key.
double DrawUniform(const DrawKey& key);

// The tokens before the one to be chosen. Their ids are the vocabulary's.
struct TokenHistory {
  absl::Span<const int32_t> prompt_ids;
  absl::Span<const int32_t> answer_ids;
};

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;
};

struct TokenChoice {
  int32_t id = 0;
  float logprob = 0;
  float log_kept_mass = 0;          // 0 when nothing is cut
  std::vector<TokenLogprob> top;    // most likely first, when asked
};

// Chooses tokens and gives log-probs. Owns scratch memory of a few vocabularies; owned by one
// thread at a time. Logits of one row (V values) are overwritten by steps 1 to 4. Internal when a
// logit is NaN or +inf, or when every token is forbidden.
class Sampler {
 public:
  Sampler(const kernels::Fp32Kernels& kernels, int vocabulary_size);

  // The token after `history`, once for each draw.
  absl::StatusOr<std::vector<TokenChoice>> Choose(const SamplingParameters& parameters,
                                                  absl::Span<const DrawKey> draws,
                                                  const TokenHistory& history, float* logits);

  // The log-prob of a given token after `history`, -inf when it is forbidden there. The same bits
  // as Choose gives for it.
  absl::StatusOr<float> Score(const SamplingParameters& parameters, const TokenHistory& history,
                              int32_t token, float* logits);

  // The `count` best continuations of a beam, best first, fewer where no more are allowed. As in
  // transformers, steps 1 to 4 change the log-probs of the bare softmax here, which are not
  // normalised again.
  absl::StatusOr<std::vector<TokenLogprob>> Rank(const SamplingParameters& parameters,
                                                 const TokenHistory& history, int count,
                                                 float* logits);

 private:
  struct Softmax {
    float max = 0;
    float inverse_temperature = 1;
    double log_sum = 0;
    double sum = 0;
    float Logprob(float logit) const {
      return static_cast<float>(double{logit - max} * inverse_temperature - log_sum);
    }
  };

  // Steps 1 to 4.
  void Adjust(const SamplingParameters& parameters, const TokenHistory& history, float* logits);
  void Penalise(const SamplingParameters& parameters, const TokenHistory& history, float* logits);
  void KeepAllowed(const std::vector<int32_t>& allowed_ids, float* logits);
  absl::StatusOr<Softmax> Normalise(double temperature, size_t position, const float* logits);
  // Step 6: keeps in kept_ids_ the tokens to draw from, in order of id; returns their mass.
  double Cut(const SamplingParameters& parameters, const Softmax& softmax, const float* logits);
  void KeepMostLikely(const SamplingParameters& parameters, double sum);
  void KeepTypical(double typical_p, const Softmax& softmax, const float* logits);
  // The least number of first ids of `ids` by `before` whose mass is at least `target`; those are
  // sorted.
  template <typename Before>
  size_t ShortestPrefix(std::vector<int32_t>& ids, double target, const Before& before) const;
  int32_t DrawFromAll(double target) const;
  int32_t DrawFromKept(double target) const;
  // The `count` most likely ids into order_, most likely first.
  void SortMostLikely(size_t count);

  const kernels::Fp32Kernels& kernels_;
  std::vector<float> mass_V_;        // exp((logit - max) / T)
  std::vector<int> counts_V_;        // of tokens; all 0 between calls
  std::vector<float> allowed_;       // logits of allowed_ids
  std::vector<double> surprise_V_;   // distance of -log p to the entropy
  std::vector<float> chunk_sums_;    // of mass_V_
  std::vector<int32_t> order_;
  std::vector<int32_t> kept_ids_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_SAMPLING_H_
