#include "cli/artifact_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "checkpoint/manifest.h"
#include "tests/support/process.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class ArtifactCopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string directory = dir_.File("runs/job/model");
    ASSERT_TRUE(MakeDirectories(directory + "/sub").ok());
    checkpoint::Manifest manifest;
    manifest.kind = "model";
    for (const auto& [name, bytes] : {std::pair("config.json", "{}"), {"sub/weights", "1234"}}) {
      ASSERT_TRUE(WriteFileAtomically(directory + "/" + name, bytes).ok());
      manifest.files.push_back({name, std::string(bytes).size(), Xxh3Hex(bytes)});
    }
    const std::string text = checkpoint::SerializeManifest(manifest);
    ASSERT_TRUE(WriteFileAtomically(directory + "/" + checkpoint::kManifestFile, text).ok());
    artifact_.set_name("model");
    artifact_.set_uri("root://runs/job/model");
    artifact_.set_manifest_sha256(checkpoint::ManifestDigest(text));
  }

  testing::TempDir dir_;
  v1::Artifact artifact_;
  const Roots roots_{{{"runs", dir_.File("runs")}}};
};

TEST_F(ArtifactCopyTest, EverythingArrives) {
  const std::string out = dir_.File("out");
  ASSERT_TRUE(CopyArtifact(artifact_, roots_, out).ok());
  EXPECT_EQ(*ReadFile(out + "/sub/weights"), "1234");
  EXPECT_TRUE(std::filesystem::exists(out + "/manifest.json"));
  EXPECT_EQ(CopyArtifact(artifact_, roots_, out).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ArtifactCopyTest, AFlippedByteIsDataLossAndNothingIsLeft) {
  ASSERT_TRUE(WriteFileAtomically(dir_.File("runs/job/model/sub/weights"), "1235").ok());
  const absl::Status status = CopyArtifact(artifact_, roots_, dir_.File("out"));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("sub/weights"));
  EXPECT_FALSE(std::filesystem::exists(dir_.File("out")));
}

TEST_F(ArtifactCopyTest, AnotherManifestThanTheCommittedOneIsDataLoss) {
  artifact_.set_manifest_sha256(std::string(64, '0'));
  EXPECT_EQ(CopyArtifact(artifact_, roots_, dir_.File("out")).code(), absl::StatusCode::kDataLoss);
}

TEST_F(ArtifactCopyTest, AnUnknownRootIsNamed) {
  artifact_.set_uri("root://elsewhere/x");
  const absl::Status status = CopyArtifact(artifact_, roots_, dir_.File("out"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("elsewhere"));
}

TEST(FileRefTest, FlagsNameFilesOrOutputs) {
  EXPECT_EQ(FileRefOf("root://data/x").uri(), "root://data/x");
  EXPECT_EQ(FileRefOf("my-sft/model").artifact(), "jobs/my-sft/model");
  EXPECT_EQ(FileRefOf("jobs/my-sft/model").artifact(), "jobs/my-sft/model");
}

}  // namespace
}  // namespace trainyard::cli
