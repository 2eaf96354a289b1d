#include "tokenizer/byte_alphabet.h"

#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

TEST(ByteAlphabetTest, EveryByteHasACharacterOfItsOwn) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(AlphabetToBytes(BytesToAlphabet(all)), all);
}

TEST(ByteAlphabetTest, IsTheOneOfGpt2) {
  EXPECT_EQ(BytesToAlphabet(" a\n"), "ĠaĊ");
  EXPECT_EQ(BytesInAlphabetOrder()[0], '!');
  EXPECT_EQ(BytesInAlphabetOrder()[188], 0);
  EXPECT_EQ(BytesInAlphabetOrder()[255], 0xAD);
}

TEST(ByteAlphabetTest, RefusesOtherCharacters) {
  EXPECT_FALSE(AlphabetToBytes("a b").has_value());
  EXPECT_FALSE(AlphabetToBytes("안").has_value());
  EXPECT_FALSE(AlphabetToBytes("\xFF").has_value());
}

}  // namespace
}  // namespace trainyard::tokenizer
