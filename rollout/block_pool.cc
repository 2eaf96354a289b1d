#include "rollout/block_pool.h"

#include <map>

#include "base/status.h"

namespace trainyard::rollout {
namespace {

// True when writing at `position` would change a block that others hold too.
bool SharedTail(const BlockPool& pool, const BlockTable& table, int position) {
  const int index = position / kBlockTokens;
  return index < static_cast<int>(table.size()) && pool.references(table[index]) > 1;
}

}  // namespace

BlockPool::BlockPool(int blocks) : references_(blocks, 0) {
  free_.reserve(blocks);
  for (int32_t block = blocks - 1; block >= 0; --block) free_.push_back(block);
}

std::optional<int32_t> BlockPool::Take() {
  if (free_.empty()) return std::nullopt;
  const int32_t block = free_.back();
  free_.pop_back();
  references_[block] = 1;
  return block;
}

void BlockPool::Share(int32_t block) {
  TY_CHECK(references_[block] > 0);
  ++references_[block];
}

void BlockPool::Release(int32_t block) {
  TY_CHECK(references_[block] > 0);
  if (--references_[block] == 0) free_.push_back(block);
}

int BlocksToReserve(const BlockPool& pool, const BlockTable& table, const TokenRange& range) {
  const int grow = BlocksFor(range.first + range.count) - static_cast<int>(table.size());
  return std::max(0, grow) + (SharedTail(pool, table, range.first) ? 1 : 0);
}

std::optional<BlockCopy> Reserve(BlockPool& pool, BlockTable& table, const TokenRange& range) {
  std::optional<BlockCopy> copy;
  if (SharedTail(pool, table, range.first)) {
    int32_t& tail = table[range.first / kBlockTokens];
    const std::optional<int32_t> fresh = pool.Take();
    TY_CHECK(fresh.has_value());
    copy = BlockCopy{tail, *fresh};
    pool.Release(tail);
    tail = *fresh;
  }
  while (static_cast<int>(table.size()) < BlocksFor(range.first + range.count)) {
    const std::optional<int32_t> fresh = pool.Take();
    TY_CHECK(fresh.has_value());
    table.push_back(*fresh);
  }
  return copy;
}

BlockTable Fork(BlockPool& pool, const BlockTable& table) {
  for (int32_t block : table) pool.Share(block);
  return table;
}

void ReleaseAll(BlockPool& pool, BlockTable& table) {
  for (int32_t block : table) pool.Release(block);
  table.clear();
}

int ExclusiveBlocks(const BlockPool& pool, absl::Span<const BlockTable* const> tables) {
  std::map<int32_t, int> holders;
  int exclusive = 0;
  for (const BlockTable* table : tables) {
    for (int32_t block : *table) {
      const int here = tables.size() == 1 ? 1 : ++holders[block];
      if (here == pool.references(block)) ++exclusive;
    }
  }
  return exclusive;
}

}  // namespace trainyard::rollout
