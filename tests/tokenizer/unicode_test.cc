#include "tokenizer/unicode.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

TEST(UnicodeTest, ANewCharacterStandsForAKnownOneOfTheSameLength) {
  EXPECT_EQ(KnownCharacter('a'), U'a');
  EXPECT_EQ(KnownCharacter(0x1C88), 0x1C88);
  EXPECT_EQ(utf8proc_category(static_cast<utf8proc_int32_t>(KnownCharacter(0x1C89))),
            UTF8PROC_CATEGORY_LU);
  for (char32_t c = 0; c < 0x33000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string before, after;
    AppendUtf8(c, &before);
    AppendUtf8(KnownCharacter(c), &after);
    ASSERT_EQ(before.size(), after.size()) << static_cast<uint32_t>(c);
    ASSERT_EQ(KnownCharacter(KnownCharacter(c)), KnownCharacter(c));
  }
}

TEST(UnicodeTest, ReplacesNewCharactersAndNothingElse) {
  std::string known = "untouched";
  EXPECT_FALSE(ReplaceNewCharacters("aé漢😀", &known));
  EXPECT_EQ(known, "untouched");
  EXPECT_TRUE(ReplaceNewCharacters("a\xE1\xB2\x89z", &known));
  EXPECT_EQ(known, "aꙀz");
  EXPECT_TRUE(ReplaceNewCharacters("a\u0363\u0363", &known));  // letters above became Alphabetic
  EXPECT_EQ(known, "a\u064B\u064B");
}

TEST(UnicodeTest, KnowsWhiteSpaceAndNumbers) {
  for (const char32_t c : {U' ', U'\t', U'\r', U'\u0085', U'\u00A0', U'\u3000'}) {
    EXPECT_TRUE(IsWhiteSpace(c));
  }
  for (const char32_t c : {U'a', U'\u180E', U'\u200B'}) EXPECT_FALSE(IsWhiteSpace(c));
  for (const char32_t c : {U'7', U'½', U'Ⅷ', U'٣', char32_t{0x10D40}, char32_t{0x11DE0}}) {
    EXPECT_TRUE(IsNumber(c));
  }
  for (const char32_t c : {U'a', U'一', U'!'}) EXPECT_FALSE(IsNumber(c));
}

TEST(UnicodeTest, LowersOneCharacterAtATime) {
  std::string text;
  for (const char32_t c : {U'A', U'É', U'İ', U'Σ', U'ß', char32_t{0x1C89}, char32_t{0x10D51}}) {
    AppendLowercase(c, &text);
  }
  EXPECT_EQ(text, "aéi̇σß\xE1\xB2\x8A\xF0\x90\xB5\xB1");
}

}  // namespace
}  // namespace trainyard::tokenizer
