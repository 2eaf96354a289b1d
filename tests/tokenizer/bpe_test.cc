#include "tokenizer/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> ByteTokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  return tokens;
}

std::vector<TokenId> Encode(const BpeMerges& merges, absl::string_view piece) {
  std::vector<TokenId> ids;
  merges.Encode(piece, &ids);
  return ids;
}

TEST(BpeMergesTest, MergesByRankThenFromTheLeft) {
  std::vector<std::string> tokens = ByteTokens();
  tokens.insert(tokens.end(), {"ab", "bc", "aa"});
  BpeMerges merges;
  ASSERT_TRUE(merges.Build(tokens, {{'b', 'c'}, {'a', 'b'}, {'a', 'a'}}, false).ok());
  EXPECT_THAT(Encode(merges, "abc"), ElementsAre('a', 257));
  EXPECT_THAT(Encode(merges, "aaaaa"), ElementsAre(258, 258, 'a'));
}

TEST(BpeMergesTest, LongPiecesGetTheIdsThatShortOnesWould) {
  std::vector<std::string> tokens = ByteTokens();
  tokens.insert(tokens.end(), {"ab", "ba", "abab", "aab"});
  BpeMerges merges;
  ASSERT_TRUE(merges.Build(tokens, {{'a', 'b'}, {'b', 'a'}, {256, 256}, {'a', 256}}, false).ok());
  const CounterRandom random(7);
  for (int round = 0; round < 200; ++round) {
    std::string head;  // ends where no merge can cross
    for (int i = 0; i < 50; ++i) head.push_back("ab"[random.Below(2, round * 100 + i)]);
    head += "#";
    std::vector<TokenId> twice = Encode(merges, head);
    const size_t once = twice.size();
    twice.insert(twice.end(), twice.begin(), twice.begin() + once);
    ASSERT_EQ(Encode(merges, head + head), twice) << head;
  }
}

TEST(BpeMergesTest, NamesWhatIsWrong) {
  BpeMerges merges;
  std::vector<std::string> tokens = ByteTokens();
  EXPECT_THAT(std::string(merges.Build(tokens, {{'a', 'b'}}, false).message()),
              HasSubstr("merge 0 makes \"ab\", which the vocabulary lacks"));
  EXPECT_THAT(std::string(merges.Build(tokens, {{'a', 999}}, false).message()), HasSubstr("999"));
  tokens[65].clear();
  EXPECT_THAT(std::string(merges.Build(tokens, {}, false).message()), HasSubstr("byte 65"));
}

TEST(BpeMergesTest, IgnoreMergesTakesAWholePieceFirst) {
  std::vector<std::string> tokens = ByteTokens();
  tokens.push_back("xyz");  // no merge makes it
  BpeMerges merges, plain;
  ASSERT_TRUE(merges.Build(tokens, {}, true).ok());
  ASSERT_TRUE(plain.Build(tokens, {}, false).ok());
  EXPECT_THAT(Encode(merges, "xyz"), ElementsAre(256));
  EXPECT_THAT(Encode(plain, "xyz"), ElementsAre('x', 'y', 'z'));
}

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
