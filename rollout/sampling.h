// How a token is chosen from logits, and what its probability was.
//
// The policy's distribution is: forbidden tokens out, logits / temperature, softmax in fp32 over
// sums of a fixed order. Its log-probs are what is reported. top-k and top-p then cut the
// distribution that is drawn from (top-p of what top-k left); the log of the mass they kept is
// reported beside, so that log-prob minus log_kept_mass is the log-prob of the draw. Temperature 0
// is greedy: the most likely token, the lowest id of equals; its log-probs are at temperature 1.

#ifndef TRAINYARD_ROLLOUT_SAMPLING_H_
#define TRAINYARD_ROLLOUT_SAMPLING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kernels/fp32.h"

namespace trainyard::rollout {

struct SamplingParameters {
  double temperature = 1;  // 0 = greedy
  int top_k = 0;           // 0 = off
  double top_p = 1;        // 1 = off
  int max_new_tokens = 0;
  int min_new_tokens = 0;              // end_ids are forbidden for the first so many tokens
  std::vector<int32_t> forbidden_ids;  // never sampled
  std::vector<int32_t> end_ids;        // end a sequence, and are kept in it
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;  // end_ids do not end a sequence
  int top_logprobs = 0;     // log-probs of the so many most likely tokens; 0 = none
};

inline constexpr int kMaxTopLogprobs = 64;

// InvalidArgument names the field, its value and its limits; `vocabulary_size` bounds the ids.
absl::Status ValidateSampling(const SamplingParameters& parameters, int vocabulary_size);

// Which draw a random number belongs to. `position` counts the sampled tokens of the sequence.
struct DrawKey {
  uint64_t seed = 0;
  int64_t row = 0;
  int32_t sample = 0;
  int32_t position = 0;
};

// Uniform in [0, 1), a pure function of the key.
double DrawUniform(const DrawKey& key);

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;
};

struct TokenChoice {
  int32_t id = 0;
  float logprob = 0;
  float log_kept_mass = 0;          // 0 when top-k and top-p are off
  std::vector<TokenLogprob> top;    // most likely first, when asked
};

// Chooses tokens and gives log-probs. Owns scratch memory of a few vocabularies; owned by one
// thread at a time. Logits of one row are overwritten where tokens are forbidden.
class Sampler {
 public:
  Sampler(const kernels::Fp32Kernels& kernels, int vocabulary_size);

  // The token at `key.position`. Internal when a logit is NaN or +inf, or when every token is
  // forbidden. `logits` has V values.
  absl::StatusOr<TokenChoice> Choose(const SamplingParameters& parameters, const DrawKey& key,
                                     float* logits);

  // The log-prob of a given token at `position`, -inf when it is forbidden there. The same bits as
  // Choose gives for it.
  absl::StatusOr<float> Score(const SamplingParameters& parameters, int position, int32_t token,
                              float* logits);

 private:
  struct Softmax {
    float max = 0;
    float inverse_temperature = 1;
    double log_sum = 0;
    double sum = 0;
  };

  absl::StatusOr<Softmax> Prepare(const SamplingParameters& parameters, int position,
                                  float* logits);
  // Keeps in kept_ids_ the tokens that top-k and top-p leave, in order of id; returns their mass.
  double Cut(const SamplingParameters& parameters, double sum);
  int32_t DrawFromAll(double target) const;
  int32_t DrawFromKept(double target) const;
  // The `count` most likely ids of those in order_, most likely first.
  void SortMostLikely(size_t count);

  const kernels::Fp32Kernels& kernels_;
  std::vector<float> mass_V_;        // exp((logit - max) / T)
  std::vector<float> chunk_sums_;    // of mass_V_
  std::vector<int32_t> order_;
  std::vector<int32_t> kept_ids_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_SAMPLING_H_
