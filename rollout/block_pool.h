// Who holds which block of the key/value cache. Bookkeeping only: the memory is the Runner's.

#ifndef TRAINYARD_ROLLOUT_BLOCK_POOL_H_
#define TRAINYARD_ROLLOUT_BLOCK_POOL_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "kernels/fp32.h"

namespace trainyard::rollout {

using kernels::kBlockTokens;  // tokens of one block

// Blocks that hold `tokens` tokens.
inline int BlocksFor(int tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

// The blocks of one sequence: block i holds its tokens [16 i, 16 i + 16).
using BlockTable = std::vector<int32_t>;

// Reference counts of a fixed number of blocks. A value owned by one thread.
class BlockPool {
 public:
  explicit BlockPool(int blocks);

  int total() const { return static_cast<int>(references_.size()); }
  int free() const { return static_cast<int>(free_.size()); }
  int references(int32_t block) const { return references_[block]; }

  // A free block, now with one reference; nothing when none is free.
  std::optional<int32_t> Take();
  // One more holder of a block that has one.
  void Share(int32_t block);
  // One holder less; the last one frees it.
  void Release(int32_t block);

 private:
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;
};

// Contents to be copied before the next write.
struct BlockCopy {
  int32_t from = 0;
  int32_t to = 0;
};

// Tokens about to be written to a sequence.
struct TokenRange {
  int first = 0;  // position; everything before it is in the table's blocks
  int count = 0;
};

// What making room costs: new blocks, and one for the copy of a shared last block.
int BlocksToReserve(const BlockPool& pool, const BlockTable& table, const TokenRange& range);

// Makes `table` hold the range in blocks that nobody else holds. A shared block in which the range
// begins is replaced by a new one and returned as a copy to make. The pool must have
// BlocksToReserve() free blocks.
std::optional<BlockCopy> Reserve(BlockPool& pool, BlockTable& table, const TokenRange& range);

// A table with the same contents; every block is shared.
BlockTable Fork(BlockPool& pool, const BlockTable& table);

// Gives every block back and empties the table.
void ReleaseAll(BlockPool& pool, BlockTable& table);

// Blocks that would be free if these tables, and no others, were released.
int ExclusiveBlocks(const BlockPool& pool, absl::Span<const BlockTable* const> tables);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_BLOCK_POOL_H_
