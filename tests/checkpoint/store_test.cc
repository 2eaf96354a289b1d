#include "checkpoint/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"

namespace trainyard::checkpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(run_); }

  Candidate Commit(uint64_t epoch, int64_t step) {
    const std::string directory = StepDirectory(run_, epoch, step);
    EXPECT_TRUE(BeginCheckpoint(directory).ok());
    Manifest manifest;
    manifest.kind = "training";
    manifest.step = step;
    manifest.epoch = epoch;
    manifest.files.push_back(
        WriteCheckpointFile(directory, "state.bin", absl::StrCat("state of step ", step)).value());
    return {directory, CommitManifest(directory, manifest).value()};
  }

  void FlipOneByte(const std::string& path) {
    std::string bytes = ReadFile(path).value();
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  }

  const std::string run_ = ::testing::TempDir() + "/store_test_run";
};

TEST_F(StoreTest, TheNewestGoodOneIsLoaded) {
  const Candidate first = Commit(1, 10), second = Commit(1, 20);
  const auto loaded = LoadFirstGood({second, first});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->manifest.step, 20);
  EXPECT_THAT(loaded->skipped, IsEmpty());
}

TEST_F(StoreTest, AFlippedByteIsPassedOverNamingTheFile) {
  const Candidate first = Commit(1, 10), second = Commit(1, 20);
  FlipOneByte(second.directory + "/state.bin");
  const auto loaded = LoadFirstGood({second, first});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->manifest.step, 10);
  ASSERT_THAT(loaded->skipped, SizeIs(1));
  EXPECT_THAT(loaded->skipped[0], HasSubstr(second.directory + "/state.bin"));
  const absl::Status verified = VerifyFiles(second.directory, ReadManifest(second).value());
  EXPECT_TRUE(absl::IsDataLoss(verified));
}

TEST_F(StoreTest, AFlippedByteInTheManifestIsAnotherIdentity) {
  const Candidate only = Commit(1, 10);
  FlipOneByte(only.directory + "/manifest.json");
  EXPECT_TRUE(absl::IsDataLoss(ReadManifest(only).status()));
  const auto loaded = LoadFirstGood({only});
  EXPECT_TRUE(absl::IsNotFound(loaded.status()));
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("committed was"));
}

TEST_F(StoreTest, MissingAndTruncatedFilesAreRefused) {
  const Candidate missing = Commit(1, 10), shorter = Commit(1, 20);
  std::filesystem::remove(missing.directory + "/state.bin");
  std::filesystem::resize_file(shorter.directory + "/state.bin", 3);
  EXPECT_THAT(std::string(LoadFirstGood({shorter, missing}).status().message()),
              ::testing::AllOf(HasSubstr("has 3 bytes"), HasSubstr("No such file")));
}

TEST_F(StoreTest, NothingCommittedIsOverwritten) {
  const Candidate done = Commit(1, 10);
  EXPECT_TRUE(absl::IsAlreadyExists(BeginCheckpoint(done.directory)));
  EXPECT_TRUE(
      absl::IsAlreadyExists(WriteCheckpointFile(done.directory, "state.bin", "other").status()));
  Manifest manifest = ReadManifest(done).value();
  EXPECT_EQ(CommitManifest(done.directory, manifest).value(), done.manifest_sha256);
  manifest.step = 11;
  EXPECT_TRUE(absl::IsAlreadyExists(CommitManifest(done.directory, manifest).status()));
}

TEST_F(StoreTest, AManifestOverMissingFilesIsNotCommitted) {
  const std::string directory = StepDirectory(run_, 1, 5);
  ASSERT_TRUE(BeginCheckpoint(directory).ok());
  Manifest manifest;
  manifest.files = {{"absent.bin", 4, std::string(32, '0')}};
  EXPECT_TRUE(absl::IsFailedPrecondition(CommitManifest(directory, manifest).status()));
  EXPECT_THAT(ListCheckpoints(run_).value(), IsEmpty());
}

TEST_F(StoreTest, ListsCommittedOnesNewestFirst) {
  EXPECT_THAT(ListCheckpoints(run_).value(), IsEmpty());
  const Candidate a = Commit(1, 20), b = Commit(2, 20), c = Commit(2, 5);
  ASSERT_TRUE(BeginCheckpoint(StepDirectory(run_, 2, 30)).ok());
  EXPECT_THAT(ListCheckpoints(run_).value(), ElementsAre(b.directory, a.directory, c.directory));
}

TEST_F(StoreTest, RetentionKeepsTheLastTheNthAndTheBest) {
  std::vector<std::string> directories;
  for (int64_t step = 100; step >= 10; step -= 10) {
    directories.push_back(StepDirectory("run", 1, step));
  }
  const Retention retention{2, 50, {StepDirectory("run", 1, 30)}};
  EXPECT_THAT(Expendable(directories, retention),
              ElementsAre(StepDirectory("run", 1, 10), StepDirectory("run", 1, 20),
                          StepDirectory("run", 1, 40), StepDirectory("run", 1, 60),
                          StepDirectory("run", 1, 70), StepDirectory("run", 1, 80)));
}

TEST_F(StoreTest, ARemovedCheckpointIsGone) {
  const Candidate done = Commit(1, 10);
  ASSERT_TRUE(RemoveCheckpoint(done.directory).ok());
  EXPECT_FALSE(std::filesystem::exists(done.directory));
}

TEST_F(StoreTest, AFileThatWasCopiedInIsRecorded) {
  const std::string directory = StepDirectory(run_, 1, 5);
  ASSERT_TRUE(BeginCheckpoint(directory).ok());
  const FileRecord written = WriteCheckpointFile(directory, "tokenizer.json", "{}").value();
  const FileRecord recorded = RecordFile(directory, "tokenizer.json").value();
  EXPECT_EQ(recorded.xxh3, written.xxh3);
  EXPECT_EQ(recorded.size_bytes, 2u);
  EXPECT_TRUE(absl::IsNotFound(RecordFile(directory, "none").status()));
}

}  // namespace
}  // namespace trainyard::checkpoint
