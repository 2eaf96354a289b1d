#include "tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

TEST(Utf8Test, EveryCharacterRoundTrips) {
  for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 7) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendUtf8(c, &text);
    ASSERT_EQ(Utf8Length(text[0]), text.size()) << text;
    ASSERT_TRUE(DecodeUtf8(text.data()) == c) << text;
    ASSERT_EQ(ValidUtf8Prefix(text), text.size()) << text;
  }
}

TEST(Utf8Test, RefusesSurrogatesOverlongFormsAndTooLargeCharacters) {
  for (const char* broken : {"\xED\xA0\x80", "\xC0\x80", "\xE0\x80\x80", "\xF0\x80\x80\x80",
                             "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xFF"}) {
    EXPECT_EQ(ValidUtf8Prefix(broken), 0) << broken;
  }
  EXPECT_EQ(ValidUtf8Prefix("ab\xC3"), 2);
}

TEST(Utf8Test, TellsUnfinishedFromBroken) {
  EXPECT_TRUE(ClassifyBrokenUtf8("\xF0\x9F\x91").unfinished);
  EXPECT_FALSE(ClassifyBrokenUtf8("\xF0\x9F"
                                  "a")
                   .unfinished);
  EXPECT_EQ(ClassifyBrokenUtf8("\xF0\x9F"
                               "a")
                .length,
            2);
  EXPECT_EQ(ClassifyBrokenUtf8("\xE0\x80").length, 1);  // no character goes on like this
}

}  // namespace
}  // namespace trainyard::tokenizer
