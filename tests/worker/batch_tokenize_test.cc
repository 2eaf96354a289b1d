#include "worker/batch_tokenize.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "data/token_shards.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"
#include "tests/worker/recording_session.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::worker {
namespace {

class BatchTokenizeTest : public ::testing::Test {
 protected:
  BatchTokenizeTest() {
    place_ = {.job_id = "job", .uri = "root://runs/run", .directory = dir_.File("run"),
              .epoch = 1, .stand_alone = true};
    EXPECT_TRUE(MakeDirectories(dir_.File("tokenizer")).ok());
    EXPECT_TRUE(tokenizer::SaveTokenizer(*tokenizer_, {}, dir_.File("tokenizer")).ok());
    EXPECT_TRUE(WriteFileAtomically(dir_.File("rows.jsonl"),
                                    "{\"text\": \"abcde\"}\n{\"text\": \"fgh\"}\n")
                    .ok());
    data::SourceSpec source;
    source.name = "rows";
    source.paths = {dir_.File("rows.jsonl")};
    job_ = {.sources = {source}, .tokenizer_directory = dir_.File("tokenizer"), .shard_tokens = 4};
  }

  const trainyard::testing::TempDir dir_;
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer_ =
      trainyard::testing::ByteTokenizer();
  RunPlace place_;
  TokenizeJob job_;
  RecordingSession session_;
};

TEST_F(BatchTokenizeTest, TheArtifactIsTheShardsUnderTheirOwnManifest) {
  const absl::Status status = RunTokenizeJob(job_, place_, &session_);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(session_.outputs().size(), 1);
  const task::Artifact artifact = session_.outputs()[0];
  EXPECT_EQ(artifact.name, "tokens");
  EXPECT_EQ(artifact.type, "token_shards");
  EXPECT_EQ(artifact.uri, "root://runs/run/e1/tokens");
  const std::string directory = dir_.File("run/e1/tokens");
  EXPECT_EQ(artifact.manifest_sha256, *FileSha256Hex(directory + "/manifest.json"));
  const auto shards = data::TokenShards::Open(directory, tokenizer_->hash(),
                                              data::TokenShards::Verify::kChecksums);
  ASSERT_TRUE(shards.ok()) << shards.status();
  EXPECT_EQ((*shards)->document_count(), 2);
  EXPECT_EQ((*shards)->token_count(), 8);
  std::vector<int32_t> ids;
  (*shards)->Append(1, 0, 3, &ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{'f', 'g', 'h'}));
  EXPECT_TRUE(std::filesystem::exists(directory + "/shard-00001.tokens")) << "shard_tokens";

  int64_t size_bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    size_bytes += static_cast<int64_t>(entry.file_size());
  }
  EXPECT_EQ(artifact.size_bytes, size_bytes);
}

TEST_F(BatchTokenizeTest, AMissingFileOrTokenizerIsTheErrorAndLeavesNoArtifact) {
  TokenizeJob job = job_;
  job.sources[0].paths = {dir_.File("nothing.jsonl")};
  absl::Status status = RunTokenizeJob(job, place_, &session_);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find("nothing.jsonl"), std::string::npos) << status;
  job = job_;
  job.tokenizer_directory = dir_.File("no-tokenizer");
  status = RunTokenizeJob(job, place_, &session_);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find("no-tokenizer"), std::string::npos) << status;
  EXPECT_TRUE(session_.outputs().empty());
  EXPECT_FALSE(std::filesystem::exists(dir_.File("run/e1/tokens/manifest.json")));
}

TEST_F(BatchTokenizeTest, ShardsThatAreThereAreNotOverwritten) {
  ASSERT_TRUE(RunTokenizeJob(job_, place_, &session_).ok());
  RecordingSession again;
  EXPECT_TRUE(absl::IsAlreadyExists(RunTokenizeJob(job_, place_, &again)));
  EXPECT_TRUE(again.outputs().empty());
}

}  // namespace
}  // namespace trainyard::worker
