#include "data/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace trainyard::data {
namespace {

using ::testing::ElementsAre;

TEST(PackBestFitTest, FillsTheFullestPackThatHasRoom) {
  EXPECT_THAT(PackBestFit({5, 9, 1, 4, 6}, 10),
              ElementsAre(ElementsAre(0), ElementsAre(1, 2), ElementsAre(3, 4)));
}

TEST(PackBestFitTest, EverySampleOnceAndNoPackOverCapacity) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const CounterRandom random(seed);
    std::vector<int64_t> lengths(1024);
    for (size_t i = 0; i < lengths.size(); ++i) lengths[i] = 1 + random.Below(300, i);
    std::vector<int64_t> seen;
    int64_t room = 0;
    for (const auto& pack : PackBestFit(lengths, 512)) {
      int64_t tokens = 0;
      for (const int64_t index : pack) {
        tokens += lengths[index];
        seen.push_back(index);
      }
      ASSERT_LE(tokens, 512);
      room += 512 - tokens;
    }
    std::sort(seen.begin(), seen.end());
    std::vector<int64_t> all(lengths.size());
    std::iota(all.begin(), all.end(), 0);
    ASSERT_EQ(seen, all);
    EXPECT_LT(room, 512 * 4);  // 1,024 samples leave little empty
  }
}

TEST(PackBestFitTest, ASampleOverCapacityStandsAlone) {
  EXPECT_THAT(PackBestFit({3, 20, 3}, 10), ElementsAre(ElementsAre(0, 2), ElementsAre(1)));
}

TEST(DealByCostTest, EqualCostsGoRoundAndUnequalOnesBalance) {
  EXPECT_THAT(DealByCost({7, 7, 7, 7, 7}, 2), ElementsAre(0, 1, 0, 1, 0));
  EXPECT_THAT(DealByCost({1, 10, 2, 3, 4}, 2), ElementsAre(1, 0, 1, 1, 1));
  EXPECT_THAT(DealByCost({5}, 4), ElementsAre(0));
}

}  // namespace
}  // namespace trainyard::data
