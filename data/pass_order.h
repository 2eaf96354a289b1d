// Which samples a pass over the mixture takes, and in what order: a pure function of (data set,
// key, pass).

#ifndef TRAINYARD_DATA_PASS_ORDER_H_
#define TRAINYARD_DATA_PASS_ORDER_H_

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace trainyard::data {

struct SampleRef {
  int32_t source = 0;
  int64_t sample = 0;

  friend bool operator==(const SampleRef&, const SampleRef&) = default;
};

// Samples that a ranking is made of.
struct GroupRef {
  int32_t source = 0;
  std::vector<int64_t> samples;
  std::vector<float> scores;
};

// How many samples of each source a pass takes by weight: `total` apportioned by the largest
// remainder, so that every count is within one of its exact share and the sum is `total`.
std::vector<int64_t> ApportionByWeight(const std::vector<double>& weights, int64_t total);

// The samples of `pass`, shuffled. A source with a share by weight or passes goes on where its last
// pass ended, so that every sample comes before one comes again.
std::vector<SampleRef> PassOrder(const Dataset& dataset, uint64_t key, int64_t pass);

// The groups of `pass`, shuffled: fixed groups as they are; of each rated pool, groups of
// `group_size` drawn anew (what is left over waits for another pass; a smaller pool is one group).
std::vector<GroupRef> PassGroups(const Dataset& dataset, int32_t group_size, uint64_t key,
                                 int64_t pass);

// Everything once, in the order of the files. Rated pools are mixed, always alike, before they are
// cut: files are often sorted by rating, and neighbours would be none but close pairs.
std::vector<SampleRef> FileOrder(const Dataset& dataset);
std::vector<GroupRef> FileGroups(const Dataset& dataset, int32_t group_size);

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_PASS_ORDER_H_
