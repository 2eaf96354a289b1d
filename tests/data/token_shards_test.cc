#include "data/token_shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "tests/data/fixture.h"

namespace trainyard::data {
namespace {

using ::testing::HasSubstr;

class TokenShardsTest : public DataTest {
 protected:
  std::string WriteShards(const std::string& name, int64_t shard_tokens) {
    const std::string path = directory_ + "/" + name;
    const auto counts =
        WriteTokenShards({Source("lines", DocumentLines(100), SourceFormat::kTextPerLine)},
                         *tokenizer_, {path, shard_tokens});
    EXPECT_TRUE(counts.ok()) << counts.status();
    EXPECT_EQ(counts->documents, 100);
    return path;
  }
  absl::StatusOr<std::unique_ptr<TokenShards>> Open(const std::string& path) {
    return TokenShards::Open(path, tokenizer_->hash(), TokenShards::Verify::kChecksums);
  }
};

TEST_F(TokenShardsTest, HoldTheTokensOfTheDocumentsHoweverTheyAreCut) {
  for (const int64_t shard_tokens : {50, 1'000'000}) {
    const std::string path = WriteShards(std::to_string(shard_tokens), shard_tokens);
    const auto shards = Open(path);
    ASSERT_TRUE(shards.ok()) << shards.status();
    EXPECT_EQ(std::filesystem::exists(path + "/shard-00001.tokens"), shard_tokens == 50);
    std::string text;
    for (int64_t i = 0; i < (*shards)->document_count(); ++i) {
      std::vector<int32_t> ids;
      (*shards)->Append(i, 0, (*shards)->DocumentTokens(i), &ids);
      text += Text(ids) + "\n";
    }
    EXPECT_EQ(text, DocumentLines(100));
  }
}

TEST_F(TokenShardsTest, AreTheSameAtAnyNumberOfThreads) {
  const SourceSpec source = Source("lines", DocumentLines(20'000), SourceFormat::kTextPerLine);
  std::vector<std::string> manifests;
  for (const int threads : {1, 3}) {
    const std::string path = absl::StrCat(directory_, "/threads-", threads);
    ASSERT_TRUE(WriteTokenShards({source}, *tokenizer_, {path, 100'000, threads}).ok());
    manifests.push_back(*ReadFile(path + "/manifest.json"));  // with every shard's checksum
  }
  EXPECT_EQ(manifests[0], manifests[1]);
}

TEST_F(TokenShardsTest, AreNeverOverwritten) {
  const std::string path = WriteShards("twice", 1000);
  EXPECT_EQ(
      WriteTokenShards({Source("x", "a\n", SourceFormat::kTextPerLine)}, *tokenizer_, {path, 1000})
          .status()
          .code(),
      absl::StatusCode::kAlreadyExists);
}

TEST_F(TokenShardsTest, AFlippedByteIsDataLossAndNamesTheFile) {
  const std::string path = WriteShards("flipped", 100'000);
  std::fstream file(path + "/shard-00000.tokens", std::ios::in | std::ios::out);
  file.seekp(17);
  file.put('\x7F');
  file.close();
  const auto shards = Open(path);
  EXPECT_EQ(shards.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(shards.status().message()), HasSubstr("shard-00000.tokens"));
}

TEST_F(TokenShardsTest, ATruncatedShardIsDataLoss) {
  const std::string path = WriteShards("truncated", 100'000);
  std::filesystem::resize_file(path + "/shard-00000.offsets", 8);
  EXPECT_EQ(Open(path).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(TokenShardsTest, ShardsOfAnotherTokenizerAreRefused) {
  const std::string path = WriteShards("other", 1000);
  EXPECT_EQ(TokenShards::Open(path, "1234", TokenShards::Verify::kSizes).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Open(directory_ + "/nowhere").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace trainyard::data
