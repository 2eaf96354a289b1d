#include "tokenizer/piece_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/container/flat_hash_map.h"
#include "base/random.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;

TEST(PieceCacheTest, NeverMixesUpPieces) {
  PieceCache cache;
  const CounterRandom random(3);
  const auto piece = [&](uint64_t i) {
    std::string text;
    const uint64_t size = 1 + random.Below(PieceCache::kMaxPieceBytes, i);
    for (uint64_t k = 0; k < size; ++k) text.push_back("ab"[random.Below(2, i, k + 1)]);
    return text;
  };
  absl::flat_hash_map<std::string, TokenId> truth;
  for (uint64_t i = 0; i < 50'000; ++i) {
    const std::string text = piece(i);
    const TokenId id = truth.try_emplace(text, static_cast<TokenId>(truth.size())).first->second;
    std::vector<TokenId> ids;
    if (cache.Append(text, &ids)) {
      ASSERT_THAT(ids, ElementsAre(id)) << text;
    } else {
      cache.Insert(text, {id});
    }
  }
}

TEST(PieceCacheTest, RemembersOnlyWhatFits) {
  PieceCache cache;
  std::vector<TokenId> ids;
  cache.Insert(std::string(17, 'a'), {1});
  EXPECT_FALSE(cache.Append(std::string(17, 'a'), &ids));
  cache.Insert("many", std::vector<TokenId>(12, 1));
  EXPECT_FALSE(cache.Append("many", &ids));
}

}  // namespace
}  // namespace trainyard::tokenizer
