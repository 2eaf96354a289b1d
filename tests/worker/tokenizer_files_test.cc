#include "worker/tokenizer_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/json.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"
#include "tokenizer/chat_files.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::worker {
namespace {

class TokenizerFilesTest : public ::testing::Test {
 protected:
  TokenizerFilesTest() {
    const auto tokenizer = trainyard::testing::ByteTokenizer({"<pad>", "<end>"});
    EXPECT_TRUE(tokenizer::SaveTokenizer(*tokenizer, {.end_token = "<end>", .pad_token = "<pad>"},
                                         dir_.path())
                    .ok());
  }
  void Configure(const Json& config) {
    ASSERT_TRUE(WriteFileAtomically(dir_.File("tokenizer_config.json"), config.dump()).ok());
  }

  trainyard::testing::TempDir dir_;
};

TEST_F(TokenizerFilesTest, SaysWhatModelsAreBoundToAndWhichIdsAreSpecial) {
  const auto files = OpenTokenizer(dir_.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->tokenizer->vocabulary_size(), 258);
  EXPECT_EQ(files->sha256, *FileSha256Hex(dir_.File("tokenizer.json")));
  EXPECT_EQ(files->end_token, "<end>");
  EXPECT_EQ(files->end_id, 257);
  EXPECT_EQ(files->pad_id, 256);
}

TEST_F(TokenizerFilesTest, ReadsTokensInBothFormsOfTransformers) {
  Configure({{"eos_token", {{"content", "<pad>"}, {"lstrip", false}}}, {"pad_token", nullptr}});
  const auto files = OpenTokenizer(dir_.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->end_id, 256);
  EXPECT_EQ(files->pad_token, "");
  EXPECT_EQ(files->pad_id, -1);
}

TEST_F(TokenizerFilesTest, ATokenThatTheTokenizerLacksHasNoId) {
  Configure({{"eos_token", "<nothing>"}});
  const auto files = OpenTokenizer(dir_.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->end_token, "<nothing>");
  EXPECT_EQ(files->end_id, -1);
}

TEST_F(TokenizerFilesTest, ADirectoryWithoutATokenizerIsNotFound) {
  std::filesystem::remove(dir_.File("tokenizer.json"));
  const absl::Status status = OpenTokenizer(dir_.path()).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find(dir_.path()), std::string::npos) << status;
  EXPECT_NE(status.message().find("neither tokenizer.json"), std::string::npos) << status;
}

TEST_F(TokenizerFilesTest, ABrokenConfigIsAnErrorAndNoMissingOne) {
  ASSERT_TRUE(WriteFileAtomically(dir_.File("tokenizer_config.json"), "{").ok());
  EXPECT_FALSE(OpenTokenizer(dir_.path()).ok());
}

TEST_F(TokenizerFilesTest, ACopyForAChatModelCarriesItsTemplate) {
  const auto spec = tokenizer::NamedChatTemplate("plain", {"", "<end>"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  const trainyard::testing::TempDir to;
  ASSERT_TRUE(CopyTokenizer(*OpenTokenizer(dir_.path()), &*spec, to.path()).ok());
  const auto own = tokenizer::OwnChatTemplate(to.path());
  ASSERT_TRUE(own.ok() && own->has_value()) << own.status();
  EXPECT_EQ((*own)->name, "plain");
}

TEST_F(TokenizerFilesTest, CopiesTheBytesOfWhatIsThere) {
  ASSERT_TRUE(WriteFileAtomically(dir_.File("special_tokens_map.json"), "{ }").ok());
  ASSERT_TRUE(WriteFileAtomically(dir_.File("unknown.json"), "{}").ok());
  const trainyard::testing::TempDir to;
  const auto records = CopyTokenizer(*OpenTokenizer(dir_.path()), nullptr, to.path());
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 3);
  for (const checkpoint::FileRecord& record : *records) {
    const std::string bytes = *ReadFile(to.File(record.path));
    EXPECT_EQ(bytes, *ReadFile(dir_.File(record.path)));
    EXPECT_EQ(record.size_bytes, bytes.size());
    EXPECT_EQ(record.xxh3, Xxh3Hex(bytes));
  }
  EXPECT_FALSE(std::filesystem::exists(to.File("unknown.json")));
  const auto again = CopyTokenizer(*OpenTokenizer(dir_.path()), nullptr, to.path());
  EXPECT_TRUE(absl::IsAlreadyExists(again.status())) << again.status();
}

}  // namespace
}  // namespace trainyard::worker
