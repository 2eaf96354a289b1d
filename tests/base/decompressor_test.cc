#include "base/decompressor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/compressed.h"

namespace trainyard {
namespace {

using ::testing::HasSubstr;
using testing::GzipOf;
using testing::ZstdOf;

struct Decoded {
  std::string text;
  bool at_end = false;
};

// Decodes `stored`, given in pieces of `piece` bytes, through a buffer of `room` bytes.
absl::StatusOr<Decoded> Decode(Compression compression, absl::string_view stored, size_t piece,
                               size_t room) {
  const auto decompressor = MakeDecompressor(compression);
  std::vector<char> buffer(room);
  Decoded decoded;
  while (!stored.empty()) {
    absl::string_view input = stored.substr(0, piece);
    stored.remove_prefix(input.size());
    size_t wrote = room;
    while (!input.empty() || wrote == room) {
      const auto got = decompressor->Decode(&input, absl::MakeSpan(buffer));
      if (!got.ok()) return got.status();
      wrote = *got;
      decoded.text.append(buffer.data(), wrote);
    }
  }
  decoded.at_end = decompressor->AtEnd();
  return decoded;
}

std::string LongText() {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "line " + std::to_string(i * 7919 % 10007) + "\n";
  return text;
}

class DecompressorTest : public ::testing::TestWithParam<Compression> {
 protected:
  std::string Stored(absl::string_view text) const {
    return GetParam() == Compression::kGzip ? GzipOf(text) : ZstdOf(text);
  }
};

TEST_P(DecompressorTest, GivesTheTextInPiecesOfAnySize) {
  const std::string text = LongText(), stored = Stored(text);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, stored.size()}) {
    for (const size_t room : {size_t{1}, size_t{1000}, text.size(), text.size() + 1}) {
      if (piece == 1 && room == 1) continue;
      const auto decoded = Decode(GetParam(), stored, piece, room);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(decoded->text, text);
      EXPECT_TRUE(decoded->at_end);
    }
  }
}

TEST_P(DecompressorTest, StreamsOneAfterTheOtherAreOneText) {
  const auto decoded = Decode(GetParam(), Stored("a\n") + Stored("") + Stored("b\n"), 5, 64);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->text, "a\nb\n");
  EXPECT_TRUE(decoded->at_end);
}

TEST_P(DecompressorTest, EveryCutIsSeen) {
  const std::string stored = Stored("some text") + Stored("and more of it");
  const size_t first = Stored("some text").size();
  for (size_t size = 1; size < stored.size(); ++size) {
    const auto decoded = Decode(GetParam(), stored.substr(0, size), 3, 64);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->at_end, size == first) << size;
  }
  EXPECT_FALSE(MakeDecompressor(GetParam())->AtEnd());
}

TEST_P(DecompressorTest, AFlippedBitOfTheContentIsDataLoss) {
  const std::string text = LongText();
  std::string stored = Stored(text);
  stored[stored.size() / 2] ^= 0x10;
  EXPECT_EQ(Decode(GetParam(), stored, 4096, 4096).status().code(), absl::StatusCode::kDataLoss);
}

TEST_P(DecompressorTest, WhatFollowsTheStreamAndIsNoneIsDataLoss) {
  EXPECT_EQ(Decode(GetParam(), Stored("text") + "and then words", 4096, 64).status().code(),
            absl::StatusCode::kDataLoss);
}

INSTANTIATE_TEST_SUITE_P(Formats, DecompressorTest,
                         ::testing::Values(Compression::kGzip, Compression::kZstd));

TEST(GzipDecompressorTest, ZeroBytesAfterAMemberArePadding) {
  const auto decoded = Decode(Compression::kGzip,
                              GzipOf("a") + std::string(512, '\0') + GzipOf("b") + '\0', 100, 64);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->text, "ab");
  EXPECT_TRUE(decoded->at_end);
}

TEST(ZstdDecompressorTest, SkippableFramesAreSkipped) {
  const std::string skippable("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  const auto decoded =
      Decode(Compression::kZstd, skippable + ZstdOf("a") + skippable + ZstdOf("b"), 4, 64);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->text, "ab");
  EXPECT_TRUE(decoded->at_end);
}

TEST(ZstdDecompressorTest, AWindowThatWouldEatTheMemoryIsRefusedWithWhatToDo) {
  EXPECT_TRUE(Decode(Compression::kZstd, ZstdOf("text", 27), 64, 64).ok());
  const auto refused = Decode(Compression::kZstd, ZstdOf("text", 28), 64, 64);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--long=27"));
}

TEST(NoDecompressorTest, PlainFilesNeedNone) {
  EXPECT_EQ(MakeDecompressor(Compression::kNone), nullptr);
}

}  // namespace
}  // namespace trainyard
