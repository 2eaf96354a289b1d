#include "base/checksum.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/atomic_file.h"
#include "base/ids.h"

namespace trainyard {
namespace {

TEST(ChecksumTest, Sha256OfThePublishedVectors) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ChecksumTest, Sha256DoesNotDependOnThePieces) {
  Sha256 sha;
  sha.Update("a");
  sha.Update("");
  sha.Update("bc");
  EXPECT_EQ(sha.FinishHex(), Sha256Hex("abc"));
}

TEST(ChecksumTest, Xxh3OfThePublishedVectors) {
  EXPECT_EQ(Xxh3Hash64(""), 0x2D06800538D394C2u);
  EXPECT_EQ(Xxh3Hex(""), "99aa06d3014798d86001c324468d497f");
}

TEST(ChecksumTest, AFileHasTheChecksumOfItsBytes) {
  const std::string path = (std::filesystem::temp_directory_path() / RandomId("sum")).string();
  const std::string bytes(3'000'000, 'q');
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  EXPECT_EQ(*FileSha256Hex(path), Sha256Hex(bytes));
  EXPECT_EQ(*FileXxh3Hex(path), Xxh3Hex(bytes));
  std::filesystem::remove(path);
  EXPECT_EQ(FileXxh3Hex(path).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace trainyard
