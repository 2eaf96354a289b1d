#include "tokenizer/normal_form.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>

#include "base/random.h"
#include "tests/tokenizer/random_text.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

std::string Normal(NormalForm form, const std::string& text) {
  std::string normal;
  return Normalize(form, text, &normal) ? normal : text;
}

// The whole text at once.
std::string Reference(int options, const std::string& text) {
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
  const std::string result(reinterpret_cast<const char*>(mapped), size);
  std::free(mapped);
  return result;
}

TEST(NormalFormTest, EachFormDoesItsOwn) {
  const std::string text = "Åé가ﬁ²";
  EXPECT_EQ(Normal(NormalForm::kNfc, text), text);
  EXPECT_EQ(Normal(NormalForm::kNfd, text), "A\u030Ae\u0301\u1100\u1161ﬁ²");
  EXPECT_EQ(Normal(NormalForm::kNfkc, text), "Åé가fi2");
  EXPECT_EQ(Normal(NormalForm::kNfkd, text), "A\u030Ae\u0301\u1100\u1161fi2");
  EXPECT_EQ(Normal(NormalForm::kNfc, "e\u0323\u0301 \u1100\u1161\u11A8"), "ẹ\u0301 각");
}

TEST(NormalFormTest, PartsPutTogetherEqualTheWholeOnTextOfCharactersThatAreOldEnough) {
  static constexpr char32_t kCharacters[] = {
      'a',    'e',    ' ',    0xE9,    0x301,  0x323,  0x300, 0x334, 0x1100,
      0x1161, 0x11A8, 0xAC00, 0xAC01,  0x3099, 0x304B, 0x958, 0x93C, 0x212B,
      0xFB01, 0x1F71, 0x4E00, 0x1F600, 0x345,  0x3B1,  0x1E69};
  const CounterRandom random(17);
  for (uint64_t round = 0; round < 5'000; ++round) {
    std::string text;
    for (uint64_t i = 0; i < 1 + round % 12; ++i) {
      AppendUtf8(kCharacters[random.Below(std::size(kCharacters), round, i)], &text);
    }
    ASSERT_EQ(Normal(NormalForm::kNfc, text), Reference(UTF8PROC_COMPOSE, text)) << text;
    ASSERT_EQ(Normal(NormalForm::kNfd, text), Reference(UTF8PROC_DECOMPOSE, text)) << text;
    ASSERT_EQ(Normal(NormalForm::kNfkc, text), Reference(UTF8PROC_COMPOSE | UTF8PROC_COMPAT, text))
        << text;
    ASSERT_EQ(Normal(NormalForm::kNfkd, text),
              Reference(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, text))
        << text;
  }
}

TEST(NormalFormTest, CharactersNewerThanTheTablesOfHuggingFaceStayAsTheyAre) {
  const std::string text = "a\xF0\x91\xA4\xB5\xF0\x91\xA4\xB0";  // U+11935 U+11930: Unicode 13
  EXPECT_EQ(Normal(NormalForm::kNfc, text), text);
  EXPECT_EQ(Normal(NormalForm::kNfkc, "㋿"), "㋿");  // Unicode 12.1
}

}  // namespace
}  // namespace trainyard::tokenizer
