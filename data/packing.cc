#include "data/packing.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace trainyard::data {
namespace {

// Indices of `values`, the greatest value first, the lower index first of equals.
std::vector<int64_t> Descending(absl::Span<const int64_t> values) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return values[a] > values[b]; });
  return order;
}

}  // namespace

std::vector<std::vector<int64_t>> PackBestFit(absl::Span<const int64_t> lengths, int64_t capacity) {
  std::vector<std::vector<int64_t>> packs;
  std::set<std::pair<int64_t, int64_t>> room;  // (left over, pack)
  for (const int64_t index : Descending(lengths)) {
    const int64_t length = lengths[index];
    const auto fit = room.lower_bound({length, 0});
    if (fit == room.end()) {
      room.insert({capacity - length, static_cast<int64_t>(packs.size())});
      packs.push_back({index});
      continue;
    }
    const auto [left, pack] = *fit;
    room.erase(fit);
    room.insert({left - length, pack});
    packs[pack].push_back(index);
  }
  for (std::vector<int64_t>& pack : packs) std::sort(pack.begin(), pack.end());
  std::sort(packs.begin(), packs.end());
  return packs;
}

std::vector<int32_t> DealByCost(absl::Span<const int64_t> costs, int32_t world_size) {
  std::vector<int32_t> owners(costs.size(), 0);
  std::set<std::pair<int64_t, int32_t>> loads;  // (cost so far, rank)
  for (int32_t rank = 0; rank < world_size; ++rank) loads.insert({0, rank});
  for (const int64_t index : Descending(costs)) {
    const auto [load, rank] = *loads.begin();
    loads.erase(loads.begin());
    loads.insert({load + costs[index], rank});
    owners[index] = rank;
  }
  return owners;
}

}  // namespace trainyard::data
