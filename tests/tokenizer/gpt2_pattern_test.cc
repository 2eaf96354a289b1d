#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/tokenizer/random_text.h"
#include "tokenizer/pattern.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<absl::string_view> Pieces(const Pattern& pattern, absl::string_view text) {
  std::vector<absl::string_view> pieces;
  pattern.Isolate(text, &pieces);
  return pieces;
}

class Gpt2PatternTest : public ::testing::Test {
 protected:
  void ExpectEqualOn(absl::string_view text) {
    ASSERT_EQ(absl::StrJoin(Pieces(*scanner_, text), "\x1F"),
              absl::StrJoin(Pieces(*reference_, text), "\x1F"))
        << text;
  }

  const std::unique_ptr<Pattern> scanner_ = MakeGpt2Pattern();
  const std::unique_ptr<Pattern> reference_ = *MakePcre2Pattern(kGpt2Pattern);
};

TEST_F(Gpt2PatternTest, CutsAsThePatternSays) {
  EXPECT_THAT(Pieces(*scanner_, "I'll pay  $42,\n\n you've 3 'S' "),
              ElementsAre("I", "'ll", " pay", " ", " $", "42", ",", "\n\n", " you", "'ve", " 3",
                          " '", "S", "'", " "));
}

TEST_F(Gpt2PatternTest, EqualsPcre2OnEveryCharacter) {
  int compared = 0;
  for (char32_t c = 0; c < 0x110000; c += c < 0x33000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string character;
    AppendUtf8(c, &character);
    ExpectEqualOn(absl::StrCat("a", character, "1", character, "! ", character, character, " b"));
    ++compared;
  }
  EXPECT_GT(compared, 200'000);
}

TEST_F(Gpt2PatternTest, EqualsPcre2OnRandomText) {
  for (int seed = 0; seed < 20'000; ++seed) ExpectEqualOn(RandomText(seed, 1 + seed % 30));
}

TEST_F(Gpt2PatternTest, FindsThePartsThatItIsolates) {
  const std::string text = RandomText(5, 40);
  std::vector<Span> spans;
  scanner_->Find(text, &spans);
  std::string joined;
  for (const Span& span : spans) {
    EXPECT_TRUE(span.matches);
    joined += text.substr(span.begin, span.end - span.begin) + "\x1F";
  }
  EXPECT_EQ(joined, absl::StrJoin(Pieces(*reference_, text), "\x1F") + "\x1F");
}

}  // namespace
}  // namespace trainyard::tokenizer
