#include "rollout/block_pool.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace trainyard::rollout {
namespace {

TEST(BlockPool, TakesAndFreesEveryBlockOnce) {
  BlockPool pool(3);
  std::vector<int32_t> taken;
  while (auto block = pool.Take()) taken.push_back(*block);
  EXPECT_EQ(taken.size(), 3u);
  pool.Share(taken[1]);
  for (int32_t block : taken) pool.Release(block);
  EXPECT_EQ(pool.free(), 2);
  pool.Release(taken[1]);
  EXPECT_EQ(pool.free(), 3);
}

TEST(BlockPool, ABlockReleasedTwiceIsABug) {
  BlockPool pool(1);
  const int32_t block = *pool.Take();
  pool.Release(block);
  EXPECT_DEATH(pool.Release(block), "references_");
}

TEST(BlockPool, AForkCopiesOnlyTheLastBlockAndOnlyWhileItIsShared) {
  BlockPool pool(8);
  BlockTable first;
  EXPECT_FALSE(Reserve(pool, first, {0, 20}).has_value());
  BlockTable second = Fork(pool, first);
  EXPECT_EQ(BlocksToReserve(pool, first, {20, 1}), 1);
  const auto copy = Reserve(pool, first, {20, 1});
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(copy->from, second[1]);
  EXPECT_EQ(copy->to, first[1]);
  EXPECT_EQ(first[0], second[0]);
  EXPECT_EQ(pool.free(), 5);
  // Nobody shares it any more.
  EXPECT_FALSE(Reserve(pool, second, {20, 1}).has_value());
}

TEST(BlockPool, AForkAtABlockBoundaryCopiesNothing) {
  BlockPool pool(8);
  BlockTable first;
  Reserve(pool, first, {0, 32});
  BlockTable second = Fork(pool, first);
  EXPECT_FALSE(Reserve(pool, first, {32, 1}).has_value());
  EXPECT_FALSE(Reserve(pool, second, {32, 1}).has_value());
  EXPECT_EQ(pool.free(), 4);
  EXPECT_EQ(ExclusiveBlocks(pool, {&first}), 1);
}

// Sequences that grow, fork and end at random: every block is either free or held, with exactly as
// many references as tables name it, and a block that is written has one holder.
TEST(BlockPool, NothingLeaksAndNothingIsFreedTwiceUnderRandomUse) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const CounterRandom random(DeriveKey(seed, "block pool test"));
    BlockPool pool(40);
    std::vector<std::pair<BlockTable, int>> sequences;  // with their length
    for (int step = 0; step < 2000; ++step) {
      const uint64_t choice = random.Below(10, step), pick = random.Bits(step, 1);
      if (choice == 0) sequences.push_back({{}, 0});
      if (sequences.empty()) continue;
      auto& [table, length] = sequences[pick % sequences.size()];
      if (choice == 1) {
        sequences.push_back({Fork(pool, table), length});
      } else if (choice == 2) {
        ReleaseAll(pool, table);
        sequences.erase(sequences.begin() + pick % sequences.size());
      } else {
        const int count = 1 + static_cast<int>(random.Below(20, step, 2));
        if (BlocksToReserve(pool, table, {length, count}) > pool.free()) continue;
        Reserve(pool, table, {length, count});
        for (int t = length; t < length + count; ++t) {
          ASSERT_EQ(pool.references(table[t / kBlockTokens]), 1);
        }
        length += count;
      }
      std::vector<int> holders(pool.total(), 0);
      for (const auto& [blocks, unused] : sequences) {
        for (int32_t block : blocks) ++holders[block];
      }
      int held = 0;
      for (int block = 0; block < pool.total(); ++block) {
        ASSERT_EQ(pool.references(block), holders[block]);
        held += holders[block] > 0;
      }
      ASSERT_EQ(pool.free(), pool.total() - held);
    }
  }
}

}  // namespace
}  // namespace trainyard::rollout
