#include "tokenizer/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/tokenizer/random_text.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<absl::string_view> Pieces(const Pretokenizer& pretokenizer, absl::string_view text) {
  std::vector<absl::string_view> pieces;
  pretokenizer.Split(text, &pieces);
  return pieces;
}

class Gpt2PretokenizerTest : public ::testing::Test {
 protected:
  void ExpectEqualOn(absl::string_view text) {
    ASSERT_EQ(absl::StrJoin(Pieces(*scanner_, text), "\x1F"),
              absl::StrJoin(Pieces(*reference_, text), "\x1F"))
        << text;
  }

  const std::unique_ptr<Pretokenizer> scanner_ = MakeGpt2Pretokenizer();
  const std::unique_ptr<Pretokenizer> reference_ = *MakeRegexPretokenizer(kGpt2Pattern);
};

TEST_F(Gpt2PretokenizerTest, CutsAsThePatternSays) {
  EXPECT_THAT(Pieces(*scanner_, "I'll pay  $42,\n\n you've 3 'S' "),
              ElementsAre("I", "'ll", " pay", " ", " $", "42", ",", "\n\n", " you", "'ve", " 3",
                          " '", "S", "'", " "));
}

TEST_F(Gpt2PretokenizerTest, EqualsPcre2OnEveryCharacterThatPcre2Knows) {
  const std::unique_ptr<Pretokenizer> unassigned = *MakeRegexPretokenizer("\\p{Cn}");
  int compared = 0;
  for (char32_t c = 0; c < 0x110000; c += c < 0x32000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string character;
    AppendUtf8(c, &character);
    if (Pieces(*unassigned, "a" + character).size() == 2) continue;
    ExpectEqualOn(absl::StrCat("a", character, "1", character, "! ", character, character, " b"));
    ++compared;
  }
  EXPECT_GT(compared, 140'000);
}

TEST_F(Gpt2PretokenizerTest, EqualsPcre2OnRandomText) {
  for (int seed = 0; seed < 20'000; ++seed) ExpectEqualOn(RandomText(seed, 1 + seed % 30));
}

TEST_F(Gpt2PretokenizerTest, EqualsPcre2OnRandomBytesAndLosesNone) {
  for (int seed = 0; seed < 20'000; ++seed) {
    const std::string bytes = RandomBytes(seed, 1 + seed % 40);
    ExpectEqualOn(bytes);
    ASSERT_EQ(absl::StrJoin(Pieces(*scanner_, bytes), ""), bytes);
  }
}

TEST(PretokenizerTest, RunsOtherPatternsOnPcre2) {
  const auto digits = MakePretokenizer("\\p{N}{1,3}|[^\\p{N}]+");
  ASSERT_TRUE(digits.ok());
  EXPECT_THAT(Pieces(**digits, "ab12345c"), ElementsAre("ab", "123", "45", "c"));
}

TEST(PretokenizerTest, RefusesAPatternThatIsNone) {
  const auto broken = MakePretokenizer("(a|");
  EXPECT_EQ(broken.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(broken.status().message()), ::testing::HasSubstr("(a|"));
}

}  // namespace
}  // namespace trainyard::tokenizer
