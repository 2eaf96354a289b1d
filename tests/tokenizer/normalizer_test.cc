#include "tokenizer/normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

NormalText Applied(absl::string_view json, const std::string& text, size_t first_bytes = 0) {
  const auto normalizer = MakeNormalizer(*ParseJson(json, "test"), "normalizer");
  EXPECT_TRUE(normalizer.ok()) << normalizer.status();
  NormalText normal{text, first_bytes};
  (*normalizer)->Apply(&normal);
  return normal;
}

TEST(NormalizerTest, EachTypeChangesWhatItSays) {
  EXPECT_EQ(Applied(R"({"type": "NFC"})", "e\u0301").text, "é");
  EXPECT_EQ(Applied(R"({"type": "NFKD"})", "ﬁ").text, "fi");
  EXPECT_EQ(Applied(R"({"type": "Lowercase"})", "ÉA").text, "éa");
  EXPECT_EQ(Applied(R"({"type": "ByteLevel"})", "é a").text, "Ã©Ġa");
  EXPECT_EQ(Applied(R"({"type": "Prepend", "prepend": "▁"})", "a").text, "▁a");
  EXPECT_EQ(Applied(R"({"type": "Prepend", "prepend": "▁"})", "").text, "");
  EXPECT_EQ(
      Applied(R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})", "a b ").text,
      "a▁b▁");
  EXPECT_EQ(
      Applied(R"({"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"})", "axb").text,
      "-a-b-");
  EXPECT_EQ(
      Applied(R"({"type": "Strip", "strip_left": true, "strip_right": false})", "\u3000 a ").text,
      "a ");
  EXPECT_EQ(Applied(R"({"type": "Strip", "strip_left": true, "strip_right": true})", " \n").text,
            "");
}

TEST(NormalizerTest, ASequenceAppliesOneAfterTheOther) {
  EXPECT_EQ(Applied(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})",
                    " a b")
                .text,
            "▁▁a▁b");
}

TEST(NormalizerTest, TracksWhatStemsFromTheFirstCharacter) {
  EXPECT_EQ(Applied(R"({"type": "Prepend", "prepend": "▁"})", "ab", 1).first_bytes, 4);
  EXPECT_EQ(Applied(R"({"type": "Prepend", "prepend": "▁"})", "ab", 0).first_bytes, 0);
  EXPECT_EQ(Applied(R"({"type": "NFD"})", "éa", 2).first_bytes, 3);
  EXPECT_EQ(Applied(R"({"type": "NFC"})", "e\u0301a", 1).first_bytes, 2);
  EXPECT_EQ(Applied(R"({"type": "ByteLevel"})", "éa", 2).first_bytes, 4);
  EXPECT_EQ(
      Applied(R"({"type": "Strip", "strip_left": true, "strip_right": true})", " a", 1).first_bytes,
      0);
  EXPECT_EQ(
      Applied(R"({"type": "Replace", "pattern": {"String": "ab"}, "content": "x"})", "abab", 1)
          .first_bytes,
      0);
  EXPECT_EQ(Applied(R"({"type": "Replace", "pattern": {"String": "a"}, "content": "xy"})", "ab", 1)
                .first_bytes,
            2);
}

TEST(NormalizerTest, MarksThatChangePlacesDoNotCutACharacterInTwo) {
  // NFKD puts the overlay before the acute, NFKC joins the acute with its letter again.
  const NormalText normal = Applied(
      R"({"type": "Sequence",
          "normalizers": [{"type": "NFKD"}, {"type": "NFKC"}, {"type": "NFD"}]})",
      "é\u0334a", 2);
  EXPECT_EQ(normal.text, "e\u0334\u0301a");
  EXPECT_EQ(normal.first_bytes, 3);
}

TEST(NormalizerTest, RefusesByName) {
  const auto message = [](absl::string_view json) {
    return std::string(
        MakeNormalizer(*ParseJson(json, "test"), "t: normalizer").status().message());
  };
  EXPECT_THAT(message(R"({"type": "BertNormalizer"})"),
              HasSubstr("t: normalizer BertNormalizer is not supported; NFC"));
  EXPECT_THAT(message(R"({"type": "Sequence", "normalizers": [{"type": "Precompiled"}]})"),
              HasSubstr("Precompiled"));
  EXPECT_THAT(message(R"({"type": "NFC", "fast": true})"), HasSubstr("fast"));
  EXPECT_THAT(message(R"("NFC")"), HasSubstr("not an object"));
  EXPECT_EQ(*MakeNormalizer(Json(), "t"), nullptr);
}

}  // namespace
}  // namespace trainyard::tokenizer
