#include "tokenizer/added_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace trainyard::tokenizer {
namespace {

std::string Found(std::vector<AddedToken> tokens, absl::string_view text,
                  AddedVocabulary::Search search = {}) {
  const AddedVocabulary added = *AddedVocabulary::Build(std::move(tokens), nullptr);
  std::vector<Section> sections;
  added.Find(text, search, &sections);
  return absl::StrJoin(sections, "|", [](std::string* out, const Section& section) {
    absl::StrAppend(out, section.text);
    if (section.id >= 0) absl::StrAppend(out, "=", section.id);
  });
}

TEST(AddedVocabularyTest, TheLeftmostAndThereTheLongestIsFound) {
  const std::vector<AddedToken> tokens = {{7, "<a>"}, {8, "<a>b"}, {9, "a>bc"}};
  EXPECT_EQ(Found(tokens, "x<a>bc<a>"), "x|<a>b=8|c|<a>=7");
  EXPECT_EQ(Found(tokens, "<a"), "<a");
  EXPECT_EQ(Found(tokens, ""), "");
}

TEST(AddedVocabularyTest, StripsTakeTheWhiteSpaceBeside) {
  EXPECT_EQ(Found({{7, "<a>", true, false, true, false}}, "x \u3000<a> y"), "x| \u3000<a>=7| y");
  EXPECT_EQ(Found({{7, "<a>", true, false, false, true}}, "x <a> \n"), "x |<a> \n=7");
  EXPECT_EQ(Found({{7, "<a>", true, false, true, true}}, "<a> <a>"), "<a> =7|<a>=7");
}

TEST(AddedVocabularyTest, ASingleWordHasNoWordBesideIt) {
  const std::vector<AddedToken> tokens = {{7, "cat", false, true}};
  EXPECT_EQ(Found(tokens, "cat,cat cats écat cat"), "cat=7|,|cat=7| cats écat |cat=7");
}

TEST(AddedVocabularyTest, SpecialsCanBeTextAndHideWhatTheyOverlap) {
  const std::vector<AddedToken> tokens = {{7, "<a>", true}, {8, "a>", false}};
  EXPECT_EQ(Found(tokens, "<a>a>", {.specials = AddedTokens::kAsText}), "<a>|a>=8");
  const AddedVocabulary added = *AddedVocabulary::Build({{7, "<a>", true}}, nullptr);
  EXPECT_TRUE(added.CanFind({}));
  EXPECT_FALSE(added.CanFind({.specials = AddedTokens::kAsText}));
}

TEST(AddedVocabularyTest, NormalFormsAreLookedForApart) {
  const auto lower = MakeNormalizer({{"type", "Lowercase"}}, "normalizer");
  AddedToken token{7, "ABC"};
  token.normalized = true;
  const AddedVocabulary added = *AddedVocabulary::Build({token}, lower->get());
  EXPECT_FALSE(added.CanFind({}));
  std::vector<Section> sections;
  added.Find("xabc", {.normal = true}, &sections);
  ASSERT_EQ(sections.size(), 2);
  EXPECT_EQ(sections[1].id, 7);
  EXPECT_EQ(*added.TextOf(7), "abc");
  EXPECT_EQ(added.TextOf(8), nullptr);
}

TEST(TokenTrieTest, AnEmptyStringIsNeverFound) {
  TokenTrie trie;
  trie.Insert("", 1);
  EXPECT_TRUE(trie.empty());
  EXPECT_EQ(trie.FindNext("abc", 0).value, -1);
}

}  // namespace
}  // namespace trainyard::tokenizer
