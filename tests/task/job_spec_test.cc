#include "task/job_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/support/process.h"

namespace trainyard::task {
namespace {

using ::testing::HasSubstr;

class JobSpecTest : public ::testing::Test {
 protected:
  JobSpecTest() {
    assignment_.roots = Roots({{"runs", dir_.path()}});
    EXPECT_TRUE(MakeDirectories(dir_.File("model")).ok());
    EXPECT_TRUE(WriteFileAtomically(dir_.File("model/tokenizer.json"), "{}").ok());
    Artifact model;
    model.uri = "root://runs/model";
    model.manifest_sha256 = "abc";
    assignment_.artifacts["sft/model"] = model;
  }
  static v1::FileRef Uri(const std::string& uri) {
    v1::FileRef file;
    file.set_uri(uri);
    return file;
  }
  static v1::FileRef ArtifactRef(const std::string& artifact) {
    v1::FileRef file;
    file.set_artifact(artifact);
    return file;
  }

  testing::TempDir dir_;
  Assignment assignment_;
};

TEST_F(JobSpecTest, AnArtifactIsItsDirectoryAndDigestAFileItsPath) {
  const auto artifact = LocateFile(ArtifactRef("sft/model"), "model", assignment_);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ(artifact->path, dir_.File("model"));
  EXPECT_EQ(artifact->manifest_sha256, "abc");
  const auto file = LocateFile(Uri("root://runs/model/tokenizer.json"), "file", assignment_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->path, dir_.File("model/tokenizer.json"));
  EXPECT_EQ(file->manifest_sha256, "");
}

TEST_F(JobSpecTest, WhatIsWrongNamesTheFieldAndTheReference) {
  const auto unknown = ResolveFile(ArtifactRef("rm/model"), "ppo.critic", assignment_).status();
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("ppo.critic"));
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("rm/model"));
  const auto missing = ResolveFile(v1::FileRef(), "ppo.policy", assignment_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(missing));
  EXPECT_EQ(missing.message(), "ppo.policy is missing");
  const auto gone = ResolveFile(Uri("root://runs/gone"), "model", assignment_).status();
  EXPECT_TRUE(absl::IsNotFound(gone));
  EXPECT_THAT(std::string(gone.message()), HasSubstr("model: "));
}

TEST_F(JobSpecTest, AnEmptyUriIsAMissingFieldAndNotTheRoot) {
  EXPECT_TRUE(absl::IsInvalidArgument(ResolveFile(Uri(""), "model", assignment_).status()));
}

TEST_F(JobSpecTest, ATokenizerIsItsDirectoryAlsoWhenItsFileIsNamed) {
  for (const char* uri : {"root://runs/model", "root://runs/model/tokenizer.json"}) {
    EXPECT_EQ(ResolveTokenizer(Uri(uri), v1::FileRef(), "tokenizer", assignment_).value_or(""),
              dir_.File("model"));
  }
}

TEST_F(JobSpecTest, ATokenizerThatIsNotNamedIsTheModels) {
  const v1::FileRef model = ArtifactRef("sft/model");
  EXPECT_EQ(ResolveTokenizer(v1::FileRef(), model, "tokenizer", assignment_).value_or(""),
            dir_.File("model"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      ResolveTokenizer(v1::FileRef(), v1::FileRef(), "tokenizer", assignment_).status()));
}

TEST_F(JobSpecTest, BytesThatAreNoSpecAreRefused) {
  assignment_.job_spec = "\xff\xff";
  EXPECT_TRUE(absl::IsInvalidArgument(JobSpecOf(assignment_).status()));
  v1::JobSpec spec;
  spec.set_name("a");
  assignment_.job_spec = spec.SerializeAsString();
  EXPECT_EQ(JobSpecOf(assignment_)->name(), "a");
}

}  // namespace
}  // namespace trainyard::task
