// The best of several samples of one prompt.

#ifndef TRAINYARD_ROLLOUT_BEST_OF_H_
#define TRAINYARD_ROLLOUT_BEST_OF_H_

#include <vector>

#include "rollout/sequence.h"

namespace trainyard::rollout {

// The `n` samples with the greatest mean log-prob of a token, best first, the lower index of
// equals; they keep the index they were drawn with. When one was aborted nothing is decided: all
// that are given then are aborted, by the first one's error.
std::vector<Completion> KeepBest(std::vector<Completion> samples, int n);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_BEST_OF_H_
