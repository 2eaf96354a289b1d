#include "tokenizer/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kLlama[] = R"({"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";

Decoder Made(absl::string_view json) {
  auto decoder = Decoder::Make(*ParseJson(json, "test"), "decoder");
  EXPECT_TRUE(decoder.ok()) << decoder.status();
  return *std::move(decoder);
}

// What each token gives, and the end.
std::vector<std::string> Stream(absl::string_view json, const std::vector<std::string>& tokens) {
  const auto decoding = Made(json).Start();
  std::vector<std::string> pieces;
  for (const std::string& token : tokens) pieces.push_back(decoding->Push(token));
  pieces.push_back(decoding->Finish());
  return pieces;
}

TEST(DecoderTest, ALlamaStreamLosesItsFirstSpaceOnly) {
  EXPECT_THAT(Stream(kLlama, {"▁a", "▁b", "c"}), ElementsAre("a", " b", "c", ""));
}

TEST(DecoderTest, ARunOfBytesWaitsForItsEnd) {
  EXPECT_THAT(Stream(kLlama, {"<0xC3>", "<0xA9>", "x"}), ElementsAre("", "", "éx", ""));
  EXPECT_THAT(Stream(kLlama, {"a", "<0xC3>", "<0x28>"}), ElementsAre("a", "", "", "��"));
}

TEST(DecoderTest, ByteLevelGivesWholeCharacters) {
  EXPECT_THAT(Stream(R"({"type": "ByteLevel"})", {"Ġa", "Ã", "©", "Ã", "x", "Ã"}),
              ElementsAre(" a", "", "é", "", "�x", "", "�"));
  EXPECT_TRUE(Made(R"({"type": "ByteLevel"})").concatenates());
  EXPECT_FALSE(Made(kLlama).concatenates());
}

TEST(DecoderTest, WithoutADecoderTokensAreJoinedBySpaces) {
  EXPECT_THAT(Stream("null", {"a", "b"}), ElementsAre("a", " b", ""));
}

TEST(DecoderTest, SaysWhichBytesATokenStandsFor) {
  EXPECT_EQ(Made(kLlama).BytesOf("▁a"), " a");
  EXPECT_EQ(Made(kLlama).BytesOf("<0xE4>"), "\xE4");
  EXPECT_EQ(Made(R"({"type": "ByteLevel"})").BytesOf("Ã"), "\xC3");
}

TEST(DecoderTest, RefusesByName) {
  EXPECT_THAT(std::string(Decoder::Make({{"type", "WordPiece"}}, "t: decoder").status().message()),
              HasSubstr("t: decoder WordPiece is not supported; ByteLevel"));
}

}  // namespace
}  // namespace trainyard::tokenizer
