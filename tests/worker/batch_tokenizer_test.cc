#include "worker/batch_tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "tests/support/process.h"
#include "tests/worker/recording_session.h"
#include "worker/tokenizer_files.h"

namespace trainyard::worker {
namespace {

class BatchTokenizerTest : public ::testing::Test {
 protected:
  BatchTokenizerTest() {
    place_ = {.job_id = "job", .uri = "root://runs/run", .directory = dir_.File("run"),
              .epoch = 2, .stand_alone = true};
    data::SourceSpec source;
    source.name = "rows";
    source.paths = {dir_.File("rows.jsonl")};
    job_.sources = {source};
    job_.vocab_size = 290;
    job_.special_tokens = {"<pad>", "<end>"};
    job_.end_of_text = "<end>";
    job_.pad = "<pad>";
    Write(R"({"text": "the cat the cat the cat"})");
  }
  void Write(const std::string& row) {
    std::string rows;
    for (int i = 0; i < 20; ++i) rows += row + "\n";
    EXPECT_TRUE(WriteFileAtomically(dir_.File("rows.jsonl"), rows).ok());
  }
  bool WroteSomething() const { return std::filesystem::exists(dir_.File("run/e2/tokenizer")); }

  const trainyard::testing::TempDir dir_;
  RunPlace place_;
  TokenizerJob job_;
  RecordingSession session_;
};

TEST_F(BatchTokenizerTest, TheArtifactIsATokenizerWithItsSpecialTokens) {
  const absl::Status status = RunTokenizerJob(job_, place_, &session_);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(session_.outputs().size(), 1);
  const task::Artifact artifact = session_.outputs()[0];
  EXPECT_EQ(artifact.name, "tokenizer");
  EXPECT_EQ(artifact.uri, "root://runs/run/e2/tokenizer");
  const std::string directory = dir_.File("run/e2/tokenizer");
  const auto manifest = checkpoint::ReadManifest({directory, artifact.manifest_sha256});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_TRUE(checkpoint::VerifyFiles(directory, *manifest).ok());
  const auto files = OpenTokenizer(directory);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->end_token, "<end>");
  EXPECT_EQ(files->pad_id, *files->tokenizer->AddedId("<pad>"));
  EXPECT_EQ(manifest->sections["vocabulary_size"], files->tokenizer->vocabulary_size());
  EXPECT_EQ(manifest->sections["tokenizer_hash"], files->tokenizer->hash());
}

TEST_F(BatchTokenizerTest, EverythingThatARowSaysIsLearnt) {
  // The model of these rows will write the answers too.
  Write(R"({"prompt": "zebra", "answers": [{"text": "quartz"}, {"text": "jumbo"}]})"
        "\n"
        R"({"messages": [{"role": "user", "content": "kiwi"}], "response": "fjord"})");
  ASSERT_TRUE(RunTokenizerJob(job_, place_, &session_).ok());
  const auto files = OpenTokenizer(dir_.File("run/e2/tokenizer"));
  for (const char* word : {"zebra", "quartz", "jumbo", "kiwi", "fjord"}) {
    EXPECT_EQ(files->tokenizer->Encode(word).size(), 1) << word;
  }
  EXPECT_GT(files->tokenizer->Encode("the cat").size(), 2) << "a word that no row has";
}

TEST_F(BatchTokenizerTest, AnEndOrPadThatIsNoSpecialTokenIsRefusedByName) {
  job_.end_of_text = "<eos>";
  absl::Status status = RunTokenizerJob(job_, place_, &session_);
  EXPECT_EQ(status, absl::InvalidArgumentError("tokenizer.end_of_text is \"<eos>\", must be one "
                                               "of special_tokens (<pad>, <end>)"));
  job_.end_of_text = "";
  job_.pad = "<p>";
  status = RunTokenizerJob(job_, place_, &session_);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("tokenizer.pad"), std::string::npos) << status;
  EXPECT_FALSE(WroteSomething());
}

TEST_F(BatchTokenizerTest, AMissingFileIsTheErrorAndLeavesNoArtifact) {
  job_.sources[0].paths = {dir_.File("nothing.jsonl")};
  const absl::Status status = RunTokenizerJob(job_, place_, &session_);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_FALSE(WroteSomething());
  EXPECT_TRUE(session_.outputs().empty());
}

TEST_F(BatchTokenizerTest, AStopEndsItWithoutAnArtifact) {
  session_.RequestStop({.reason = "cancelled"});
  const absl::Status status = RunTokenizerJob(job_, place_, &session_);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_FALSE(WroteSomething());
  EXPECT_TRUE(session_.outputs().empty());
}

}  // namespace
}  // namespace trainyard::worker
