#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "checkpoint/manifest.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class ExportTest : public VerbTest {
 protected:
  // The job "demo" with one output, "model", of one file.
  void SetUp() override {
    const std::string directory = dir().File("runs/demo/model");
    ASSERT_TRUE(MakeDirectories(directory).ok());
    ASSERT_TRUE(WriteFileAtomically(directory + "/weights", "1234").ok());
    checkpoint::Manifest manifest;
    manifest.kind = "model";
    manifest.files.push_back({"weights", 4, Xxh3Hex("1234")});
    const std::string text = checkpoint::SerializeManifest(manifest);
    ASSERT_TRUE(WriteFileAtomically(directory + "/" + checkpoint::kManifestFile, text).ok());
    v1::Artifact model;
    model.set_name("model");
    model.set_uri("root://runs/demo/model");
    model.set_manifest_sha256(checkpoint::ManifestDigest(text));
    model.set_size_bytes(4);
    Submit("name: demo\nfake: {steps: 3}\n");
    node().Succeed("demo", "trainer/0", model);
    ASSERT_TRUE(Becomes("demo", v1::SUCCEEDED));
  }

  Ran Export(const std::string& artifact, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"export", artifact, out_, "--root", "runs=" + dir().File("runs")});
    return Run(more);
  }

  const std::string out_ = dir().File("out");
};

TEST_F(ExportTest, AnOutputIsCopiedAndItsPlaceSaid) {
  const Ran ran = Export("demo/model");
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "model (4 B) is in " + out_ + "\n");
  EXPECT_EQ(ReadFile(out_ + "/weights").value_or("nothing"), "1234");
}

TEST_F(ExportTest, JsonIsTheOutput) {
  EXPECT_EQ(Export("demo", {"-o", "json"}).At("/uri"), "root://runs/demo/model");
}

TEST_F(ExportTest, ADirectoryThatHasFilesIsRefused) {
  ASSERT_EQ(Export("demo/model").code, kDone);
  const Ran ran = Export("demo/model");
  EXPECT_EQ(ran.code, kRefused);
  EXPECT_THAT(ran.err, HasSubstr(out_ + " is there already and is not empty"));
}

TEST_F(ExportTest, BytesThatAreNotTheCommittedOnesAreAnErrorAndNothingIsLeft) {
  ASSERT_TRUE(WriteFileAtomically(dir().File("runs/demo/model/weights"), "1235").ok());
  const Ran ran = Export("demo/model");
  EXPECT_EQ(ran.code, kFailed);
  EXPECT_THAT(ran.err, HasSubstr("weights: is not what its manifest says"));
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(ExportTest, AnOutputThatIsNotThereIsNamedWithThoseThatAre) {
  const Ran ran = Export("demo/tokenizer");
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("has no output \"tokenizer\" (outputs: model; it is succeeded)"));
  ExpectUnknownJobIsNamed({"export", "nobody/model", out_});
}

TEST_F(ExportTest, RootsThatAreNotKnownHereAreAskedFor) {
  const Ran ran = Run({"export", "demo/model", out_});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("--root NAME=DIRECTORY"));
  ExpectMissing({"export", "demo/model"}, "DIRECTORY");
}

}  // namespace
}  // namespace trainyard::cli
