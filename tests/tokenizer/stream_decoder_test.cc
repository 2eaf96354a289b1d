#include "tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/tokenizer/random_text.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

// Bytes only, and one special: id 0 is "<|end|>", id of a byte is 1 + its place in the alphabet.
std::shared_ptr<const Tokenizer> ByteTokenizer() {
  TokenizerParts parts;
  parts.token_bytes.emplace_back();
  for (const uint8_t byte : BytesInAlphabetOrder()) {
    parts.token_bytes.emplace_back(1, static_cast<char>(byte));
  }
  parts.added.push_back({0, "<|end|>", true});
  return *Tokenizer::Create(std::move(parts));
}

TEST(StreamDecoderTest, HoldsACharacterBackUntilItIsWhole) {
  const auto tokenizer = ByteTokenizer();
  StreamDecoder decoder(*tokenizer, SpecialTokens::kSkip);
  const std::vector<TokenId> ids = tokenizer->Encode("é!");
  ASSERT_EQ(ids.size(), 3);
  EXPECT_EQ(decoder.Push(ids[0]), "");
  EXPECT_EQ(decoder.Push(ids[1]), "é");
  EXPECT_EQ(decoder.Push(ids[2]), "!");
  EXPECT_EQ(decoder.Push(0), "");
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(StreamDecoderTest, GivesAnUnfinishedCharacterAsReplacementAtTheEnd) {
  const auto tokenizer = ByteTokenizer();
  StreamDecoder decoder(*tokenizer, SpecialTokens::kKeep);
  EXPECT_EQ(decoder.Push(tokenizer->Encode("é")[0]), "");
  EXPECT_EQ(decoder.Push(0), "\xEF\xBF\xBD<|end|>");
  EXPECT_EQ(decoder.Push(tokenizer->Encode("é")[0]), "");
  EXPECT_EQ(decoder.Finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(StreamDecoderTest, EveryPieceOfAnyBytesIsValidAndTheSumIsThatOfAllAtOnce) {
  const auto tokenizer = ByteTokenizer();
  const auto& order = BytesInAlphabetOrder();
  for (int seed = 0; seed < 3'000; ++seed) {
    const std::string bytes = RandomBytes(seed, 1 + seed % 30);
    StreamDecoder decoder(*tokenizer, SpecialTokens::kSkip);
    std::string sum;
    std::vector<TokenId> ids;
    for (const char byte : bytes) {
      const auto place = std::find(order.begin(), order.end(), static_cast<uint8_t>(byte));
      ids.push_back(static_cast<TokenId>(1 + (place - order.begin())));
      const std::string piece = decoder.Push(ids.back());
      ASSERT_EQ(ValidUtf8Prefix(piece), piece.size());
      sum += piece;
    }
    sum += decoder.Finish();
    ASSERT_EQ(sum, ReplaceInvalidUtf8(bytes));
    ASSERT_EQ(sum, tokenizer->Decode(ids, SpecialTokens::kSkip));
    ASSERT_EQ(ValidUtf8Prefix(sum), sum.size());
  }
}

}  // namespace
}  // namespace trainyard::tokenizer
