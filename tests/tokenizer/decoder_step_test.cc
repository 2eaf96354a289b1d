#include "tokenizer/decoder_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What becomes of tokens, those that go on with the one before with a "+".
std::vector<std::string> Tokens(const Json& json, const std::vector<std::string>& tokens,
                                bool fused = false) {
  const auto made = MakeDecoderStep(json, fused, "decoder");
  EXPECT_TRUE(made.ok()) << made.status();
  const auto step = (*made)->Start();
  std::vector<TokenPart> out;
  for (size_t i = 0; i < tokens.size(); ++i) step->Put({tokens[i], !fused || i == 0}, &out);
  step->End(&out);
  std::vector<std::string> texts;
  for (const TokenPart& part : out)
    texts.push_back(absl::StrCat(part.begins ? "" : "+", part.text));
  return texts;
}

const Json kStrip = {{"type", "Strip"}, {"content", "_"}, {"start", 2}, {"stop", 1}};
const Json kMetaspace = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}};

TEST(DecoderStepTest, StripTakesFromTheEndsOfEachToken) {
  EXPECT_THAT(Tokens(kStrip, {"___a__", "_", "b"}), ElementsAre("_a_", "", "b"));
}

TEST(DecoderStepTest, AFusedStripSeesTheWholeText) {
  EXPECT_THAT(Tokens(kStrip, {"_", "__a", "_"}, true), ElementsAre("_a"));
  Json front = kStrip;
  front["stop"] = 0;
  EXPECT_THAT(Tokens(front, {"_", "__a", "_b"}, true), ElementsAre("", "+_a", "+_b"));
}

TEST(DecoderStepTest, MetaspaceDropsItsSignInTheFirstToken) {
  EXPECT_THAT(Tokens(kMetaspace, {"▁a▁", "▁b"}), ElementsAre("a", " b"));
  Json never = kMetaspace;
  never["prepend_scheme"] = "never";
  EXPECT_THAT(Tokens(never, {"▁a"}), ElementsAre(" a"));
}

TEST(DecoderStepTest, FuseMakesOneToken) {
  EXPECT_THAT(Tokens({{"type", "Fuse"}}, {"a", "b"}), ElementsAre("a", "+b"));
}

TEST(DecoderStepTest, ReplaceFindsItsPatternOverTheBordersOfPartsOfOneToken) {
  const Json replace = {{"type", "Replace"}, {"pattern", {{"String", "ab"}}}, {"content", "-"}};
  EXPECT_THAT(Tokens(replace, {"xa", "by"}), ElementsAre("xa", "by"));
  EXPECT_THAT(Tokens(replace, {"xa", "by"}, true), ElementsAre("x-y"));
}

TEST(DecoderStepTest, OnlyWholeByteTokensAreBytes) {
  const Json bytes = {{"type", "ByteFallback"}};
  EXPECT_THAT(Tokens(bytes, {"<0x41>", "<0x42>", "<0xG1>", "<0x4>"}),
              ElementsAre("AB", "<0xG1>", "<0x4>"));
}

TEST(DecoderStepTest, RefusesByName) {
  const auto message = [](const Json& json) {
    return std::string(MakeDecoderStep(json, false, "t: decoder").status().message());
  };
  EXPECT_THAT(message({{"type", "BPEDecoder"}}), HasSubstr("decoder BPEDecoder is not supported"));
  EXPECT_THAT(message({{"type", "Strip"}, {"content", "_"}, {"start", -1}, {"stop", 0}}),
              HasSubstr("must not be negative"));
  EXPECT_THAT(message({{"type", "Fuse"}, {"loudly", true}}), HasSubstr("loudly"));
}

}  // namespace
}  // namespace trainyard::tokenizer
