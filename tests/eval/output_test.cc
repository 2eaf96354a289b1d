#include "eval/output.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "checkpoint/store.h"
#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using OutputTest = EvalTest;

TEST_F(OutputTest, AnOutputIsAFileAndItsManifest) {
  const auto place = PlaceOf(Assignment(3));
  ASSERT_TRUE(place.ok()) << place.status();
  const auto artifact =
      WriteOutput(*place, {"answers", "jsonl", "answers.jsonl", "{}\n"}, {{"rows", 1}});
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ(artifact->uri, "root://runs/job/e3/answers");
  EXPECT_EQ(artifact->epoch, 3);
  EXPECT_EQ(artifact->size_bytes, 3);
  const std::string directory = directory_ + "/runs/job/e3/answers";
  const auto manifest = checkpoint::ReadManifest({directory, artifact->manifest_sha256});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_TRUE(checkpoint::VerifyFiles(directory, *manifest).ok());
  EXPECT_EQ(WriteOutput(*place, {"answers", "jsonl", "answers.jsonl", ""}, Json::object())
                .status()
                .code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(OutputTest, AFileBesideIsPartOfTheArtifact) {
  const auto place = PlaceOf(Assignment(3));
  const auto artifact = WriteOutput(*place, {"report", "report", "report.json", "{}"},
                                    Json::object(), {{"tasks.jsonl", "[]\n"}});
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ(artifact->size_bytes, 5);
  const std::string directory = directory_ + "/runs/job/e3/report";
  const auto manifest = checkpoint::ReadManifest({directory, artifact->manifest_sha256});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  ASSERT_EQ(manifest->files.size(), 2u);
  EXPECT_TRUE(checkpoint::VerifyFiles(directory, *manifest).ok());
}

TEST_F(OutputTest, WithoutACoordinatorEachStartTakesAnEpochOfItsOwn) {
  task::Assignment assignment = Assignment(0);
  assignment.coordinator.clear();
  const auto first = PlaceOf(assignment);
  ASSERT_TRUE(WriteOutput(*first, {"a", "jsonl", "a", ""}, Json::object()).ok());
  EXPECT_EQ(PlaceOf(assignment)->epoch, first->epoch + 1);
}

}  // namespace
}  // namespace trainyard::eval
