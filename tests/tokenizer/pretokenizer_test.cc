#include "tokenizer/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PretokenizerChoice Made(absl::string_view json) {
  auto choice = MakePretokenizer(*ParseJson(json, "test"), "pre_tokenizer");
  EXPECT_TRUE(choice.ok()) << choice.status();
  return *std::move(choice);
}

// `first_bytes` of the text, as the input's first character would have it.
std::vector<std::string> Cut(absl::string_view json, absl::string_view text,
                             size_t first_bytes = 1) {
  Pieces pieces;
  pieces.list.push_back({text, first_bytes});
  Made(json).pretokenizer->Apply(&pieces);
  std::vector<std::string> texts;
  for (const Piece& piece : pieces.list) texts.emplace_back(piece.text);
  return texts;
}

constexpr char kPlainBytes[] = R"({"type": "ByteLevel", "add_prefix_space": false})";

TEST(PretokenizerTest, ByteLevelLeavesBytesWhenItIsLast) {
  EXPECT_TRUE(Made(kPlainBytes).raw_bytes);
  EXPECT_THAT(Cut(kPlainBytes, "a é"), ElementsAre("a", " é"));
  EXPECT_THAT(Cut(R"({"type": "ByteLevel"})", "a"), ElementsAre(" a"));
  EXPECT_THAT(Cut(R"({"type": "ByteLevel", "use_regex": false})", "a b"), ElementsAre(" a b"));
}

TEST(PretokenizerTest, ByteLevelBeforeAnotherStepWritesTheAlphabet) {
  const char json[] = R"({"type": "Sequence", "pretokenizers": [
      {"type": "ByteLevel", "add_prefix_space": false},
      {"type": "Split", "pattern": {"String": "Ã"}, "behavior": "Removed", "invert": false}]})";
  EXPECT_FALSE(Made(json).raw_bytes);
  EXPECT_THAT(Cut(json, "a é"), ElementsAre("a", "Ġ", "©"));
}

TEST(PretokenizerTest, MetaspacePrependsAlwaysFirstOrNever) {
  EXPECT_THAT(Cut(R"({"type": "Metaspace", "replacement": "▁"})", "a b", 0),
              ElementsAre("▁a", "▁b"));
  const char first[] = R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"})";
  EXPECT_THAT(Cut(first, "a b", 1), ElementsAre("▁a", "▁b"));
  EXPECT_THAT(Cut(first, "a b", 0), ElementsAre("a", "▁b"));
  EXPECT_THAT(Cut(first, " b", 1), ElementsAre("▁b"));
  EXPECT_THAT(Cut(R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false,
                      "prepend_scheme": "never", "split": false})",
                  "a b"),
              ElementsAre("a_b"));
  EXPECT_THAT(Cut(R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
      {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]})",
                  "a b"),
              ElementsAre("▁a", "b"));
}

TEST(PretokenizerTest, DigitsAndWhiteSpaceCut) {
  EXPECT_THAT(Cut(R"({"type": "Digits", "individual_digits": true})", "a12½"),
              ElementsAre("a", "1", "2", "½"));
  EXPECT_THAT(Cut(R"({"type": "Digits", "individual_digits": false})", "a12½b"),
              ElementsAre("a", "12½", "b"));
  EXPECT_THAT(Cut(R"({"type": "Whitespace"})", "ab, \u3000c!"), ElementsAre("ab", ",", "c", "!"));
  EXPECT_THAT(Cut(R"({"type": "WhitespaceSplit"})", "ab, \u3000c!"), ElementsAre("ab,", "c!"));
}

TEST(PretokenizerTest, ASequenceOfNothingIsOnePiece) {
  EXPECT_THAT(Cut(R"({"type": "Sequence", "pretokenizers": []})", "a b"), ElementsAre("a b"));
  EXPECT_EQ(MakePretokenizer(Json(), "pre_tokenizer")->pretokenizer, nullptr);
}

TEST(PretokenizerTest, RefusesByName) {
  const auto message = [](absl::string_view json) {
    return std::string(
        MakePretokenizer(*ParseJson(json, "test"), "t: pre_tokenizer").status().message());
  };
  EXPECT_THAT(message(R"({"type": "UnicodeScripts"})"),
              HasSubstr("t: pre_tokenizer UnicodeScripts is not supported; ByteLevel, Split"));
  EXPECT_THAT(message(R"({"type": "Metaspace", "replacement": "__"})"), HasSubstr("one character"));
  EXPECT_THAT(message(R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false,
                          "prepend_scheme": "first"})"),
              HasSubstr("contradicts"));
  EXPECT_THAT(message(R"({"type": "Digits", "grouped": true})"), HasSubstr("grouped"));
  EXPECT_FALSE(MakePretokenizer(Json(3), "pre_tokenizer").ok());
}

}  // namespace
}  // namespace trainyard::tokenizer
