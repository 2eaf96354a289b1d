// Putting samples of different lengths together so that little room is left over.

#ifndef TRAINYARD_DATA_PACKING_H_
#define TRAINYARD_DATA_PACKING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace trainyard::data {

// Best-fit decreasing (Johnson 1974): the longest sample first, each into the fullest pack that
// still has room for it, the earlier one of equals. A pure function. Packs hold indices into
// `lengths`, ascending, and stand in the order of their first index; every index occurs once. A
// sample longer than `capacity` is a pack of its own.
std::vector<std::vector<int64_t>> PackBestFit(absl::Span<const int64_t> lengths, int64_t capacity);

// Deals items of the given costs to `world_size` ranks: the dearest first, each to the rank with
// the least so far, the lower one of equals. The owner of each item; items of one cost go round.
std::vector<int32_t> DealByCost(absl::Span<const int64_t> costs, int32_t world_size);

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_PACKING_H_
