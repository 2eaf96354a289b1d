#include "agent/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/status.h"
#include "checkpoint/manifest.h"
#include "checkpoint/store.h"
#include "tests/support/compressed.h"
#include "tests/support/process.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PreflightTest : public ::testing::Test {
 protected:
  PreflightTest() {
    assignment_.set_run_uri("root://data/runs/job-a");
    Write("train.jsonl", "{\"prompt\": \"a\"}\n");
    AddTraining("root://data/train.jsonl");
  }

  void Write(const std::string& name, const std::string& bytes) {
    const std::string path = dir_.File(name);
    TY_CHECK(MakeDirectories(std::filesystem::path(path).parent_path()).ok());
    TY_CHECK(WriteFileAtomically(path, bytes).ok());
  }
  v1::DataSource* AddTraining(const std::string& uri) {
    v1::DataSource* source = assignment_.mutable_spec()->mutable_sft()->mutable_data()->add_train();
    source->mutable_file()->set_uri(uri);
    return source;
  }
  PreflightReport Check() {
    return Preflight({"job-a", 3, assignment_.SerializeAsString()},
                     Roots({{"data", dir_.path()}}));
  }
  // The problem, which must be the user's.
  std::string Problem() {
    const PreflightReport report = Check();
    EXPECT_FALSE(report.ok);
    EXPECT_EQ(report.problem.end_class, EndClass::kUserError);
    return report.problem.message;
  }

  testing::TempDir dir_;
  v1::TaskAssignment assignment_;
};

TEST_F(PreflightTest, WhatIsThereAndWholePasses) {
  const PreflightReport report = Check();
  EXPECT_TRUE(report.ok) << report.problem.message;
  EXPECT_EQ(report.job_id, "job-a");
  EXPECT_EQ(report.epoch, 3);
}

TEST_F(PreflightTest, EveryMissingFileIsNamed) {
  AddTraining("root://data/one.jsonl");
  assignment_.mutable_spec()->mutable_sft()->mutable_init_from()->set_uri("root://data/model");
  EXPECT_THAT(Problem(), AllOf(HasSubstr("one.jsonl"), HasSubstr("root://data/model")));
}

TEST_F(PreflightTest, AFileOutsideItsRootIsRefused) {
  AddTraining("root://data/../etc/passwd");
  EXPECT_THAT(Problem(), HasSubstr("not allowed"));
}

TEST_F(PreflightTest, ARootThisMachineDoesNotHaveIsNamed) {
  AddTraining("root://elsewhere/x.jsonl");
  EXPECT_THAT(Problem(), HasSubstr("no root \"elsewhere\""));
}

TEST_F(PreflightTest, AJsonlFileThatIsNoneNamesTheLine) {
  Write("bad.jsonl", "not json\n");
  AddTraining("root://data/bad.jsonl");
  EXPECT_THAT(Problem(), HasSubstr("bad.jsonl:1"));
}

TEST_F(PreflightTest, CompressedRowsAreLookedInto) {
  Write("good.jsonl.gz", testing::GzipOf("{\"prompt\": \"a\"}\n"));
  AddTraining("root://data/good.jsonl.gz");
  const PreflightReport report = Check();
  EXPECT_TRUE(report.ok) << report.problem.message;
  Write("words.jsonl.zst", testing::ZstdOf("not json\n"));
  AddTraining("root://data/words.jsonl.zst");
  EXPECT_THAT(Problem(), HasSubstr("words.jsonl.zst:1"));
  Write("words.jsonl.zst", "{\"prompt\": \"a\"}\n");
  EXPECT_THAT(Problem(), HasSubstr("words.jsonl.zst is damaged near byte "));
}

TEST_F(PreflightTest, ACutSafetensorsFileIsRefused) {
  Write("model/model.safetensors", std::string("\xff\x00\x00\x00\x00\x00\x00\x00{", 9));
  assignment_.mutable_spec()->mutable_sft()->mutable_init_from()->set_uri("root://data/model");
  EXPECT_THAT(Problem(), HasSubstr("model.safetensors"));
}

TEST_F(PreflightTest, AnArtifactMustHaveTheDigestThatWasRecorded) {
  const std::string directory = dir_.File("model");
  ASSERT_TRUE(checkpoint::BeginCheckpoint(directory).ok());
  const auto file = checkpoint::WriteCheckpointFile(directory, "state.bin", "12345");
  ASSERT_TRUE(file.ok()) << file.status();
  checkpoint::Manifest manifest;
  manifest.kind = "model";
  manifest.files = {*file};
  const auto digest = checkpoint::CommitManifest(directory, manifest);
  ASSERT_TRUE(digest.ok()) << digest.status();
  assignment_.mutable_spec()->mutable_sft()->mutable_init_from()->set_artifact("pre/model");
  EXPECT_THAT(Problem(), HasSubstr("artifact \"pre/model\" is not resolved"));
  v1::Artifact& artifact = (*assignment_.mutable_artifacts())["pre/model"];
  artifact.set_uri("root://data/model");
  artifact.set_manifest_sha256(*digest);
  EXPECT_TRUE(Check().ok);
  artifact.set_manifest_sha256(std::string(64, '0'));
  EXPECT_THAT(Problem(), HasSubstr("model"));
  artifact.set_manifest_sha256(*digest);
  Write("model/state.bin", "12346");
  EXPECT_THAT(Problem(), HasSubstr("state.bin: its checksum is "));
  std::filesystem::resize_file(directory + "/state.bin", 4);
  EXPECT_THAT(Problem(), HasSubstr("state.bin: 4 bytes, its manifest says 5"));
}

TEST_F(PreflightTest, TooLittleSpaceIsAFullDiskWithThePath) {
  const std::string small = dir_.File("small");
  ASSERT_TRUE(MakeDirectories(small).ok());
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "mounting a small file system: " << std::strerror(errno);
  }
  assignment_.set_run_uri("root://data/small/job-a");
  const PreflightReport report = Check();
  umount(small.c_str());
  EXPECT_FALSE(report.ok);
  EXPECT_EQ(report.problem.end_class, EndClass::kDiskFull);
  EXPECT_THAT(report.problem.message, HasSubstr(small + "/job-a"));
}

}  // namespace
}  // namespace trainyard::agent
