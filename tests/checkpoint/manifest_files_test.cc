#include "checkpoint/manifest_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "checkpoint/manifest.h"
#include "tests/support/process.h"

namespace trainyard::checkpoint {
namespace {

using ::testing::HasSubstr;

class ManifestFilesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(dir_.File(name), bytes).ok());
  }
  std::string Problem(const std::string& digest = "") {
    const absl::Status status = VerifyFiles(dir_.path(), digest);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    return std::string(status.message());
  }

  testing::TempDir dir_;
};

TEST_F(ManifestFilesTest, AFlippedByteOfAModelIsNamedWithItsFile) {
  Write("model.safetensors", "weights");
  Manifest manifest;
  manifest.kind = "model";
  manifest.files = {{"model.safetensors", 7, Xxh3Hex("weights")}};
  Write("manifest.json", SerializeManifest(manifest));
  const std::string digest = ManifestDigest(SerializeManifest(manifest));
  EXPECT_TRUE(VerifyFiles(dir_.path(), digest).ok());
  Write("model.safetensors", "veights");
  EXPECT_THAT(Problem(digest), HasSubstr("model.safetensors: its checksum is "));
  Write("model.safetensors", "weight");
  EXPECT_THAT(Problem(digest), HasSubstr("model.safetensors: 6 bytes, its manifest says 7"));
  EXPECT_THAT(Problem(std::string(64, '0')), HasSubstr("is not the manifest that was committed"));
}

TEST_F(ManifestFilesTest, TokenShardsAreVerifiedByTheirOwnManifest) {
  const std::string tokens(6, 't');
  const std::string offsets(16, 'o');
  Write("shard-00000.tokens", tokens);
  Write("shard-00000.offsets", offsets);
  const Json shard = {{"name", "shard-00000"}, {"tokens", 3},
                      {"documents", 1},        {"tokens_xxh3", Xxh3Hex(tokens)},
                      {"offsets_xxh3", Xxh3Hex(offsets)}};
  Write("manifest.json", Json{{"bytes_per_token", 2}, {"shards", {shard}}}.dump());
  EXPECT_TRUE(VerifyFiles(dir_.path(), "").ok()) << VerifyFiles(dir_.path(), "");
  Write("shard-00000.tokens", std::string(6, 'x'));
  EXPECT_THAT(Problem(), HasSubstr("shard-00000.tokens: its checksum is "));
}

}  // namespace
}  // namespace trainyard::checkpoint
