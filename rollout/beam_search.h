// Beam search over the continuations that a model ranks: decisions only, no model and no cache.
//
// It decides as `generate` of transformers 5 does, in fp32: a beam's score is the sum of its
// tokens' ranks (Sampler::Rank); of all continuations of all beams the `width` best that do not
// end are the next beams, and those among the `width` best that end are hypotheses, ranked by
// score / length ^ length_penalty, of which the `width` best are kept. The length counts the new
// tokens, an end token included.

#ifndef TRAINYARD_ROLLOUT_BEAM_SEARCH_H_
#define TRAINYARD_ROLLOUT_BEAM_SEARCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "rollout/answer_end.h"
#include "rollout/sampling.h"
#include "rollout/sequence.h"

namespace trainyard::rollout {

// The beams of one prompt. A value owned by one thread.
class BeamSearch {
 public:
  // One beam without tokens: the prompt's.
  explicit BeamSearch(const BeamOptions& options);

  // Continuations to rank for each beam, so that `width` of them go on even when all end tokens are
  // among the best.
  static int Candidates(const SamplingParameters& sampling);

  // A beam of the next step: beam `parent` of this one and one more token.
  struct Child {
    int parent = 0;
    int32_t token = 0;
  };

  // One step, in which `version` of the policy ranked `ranked[i]` for beam i, best first. The next
  // beams, best first: fewer than `width` when the masks leave no more continuations, none when the
  // search is done.
  std::vector<Child> Advance(absl::Span<const std::vector<TokenLogprob>> ranked, int64_t version,
                             const AnswerEnd& end);

  int beams() const { return static_cast<int>(beams_.size()); }

  // The n best hypotheses, samples 0 .. n - 1, best first; their logprobs are the ranks of their
  // tokens. NotFound (aborted, without tokens) for those that do not exist.
  std::vector<Completion> Best(int n) const;
  // The same before the search is done: hypotheses, then beams, all aborted by `error`.
  std::vector<Completion> Partial(int n, const absl::Status& error) const;

 private:
  struct Beam {
    float score = 0;
    Completion result;
    std::string text_tail;
  };
  struct Candidate {
    int beam = 0;
    TokenLogprob token;
    float score = 0;
  };

  std::vector<Candidate> Merge(absl::Span<const std::vector<TokenLogprob>> ranked,
                               int count) const;
  Beam Extend(const Candidate& candidate, int64_t version) const;
  float Ranked(float score, int tokens) const;
  bool Done(int tokens, int most_tokens) const;

  const BeamOptions options_;
  std::vector<Beam> beams_;       // best first
  std::vector<Beam> hypotheses_;  // best first, by score / length ^ length_penalty
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_BEAM_SEARCH_H_
