#include "tokenizer/tokenizer_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/tokenizer/random_text.h"
#include "tokenizer/bpe_trainer.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const Tokenizer> Trained(const std::string& pattern) {
  BpeTrainerOptions options{500, {"<|pad|>", "<|end|>"}};
  options.pattern = pattern;
  auto trainer = *BpeTrainer::Create(options);
  for (int seed = 0; seed < 50; ++seed) trainer->Feed(RandomText(seed, 60));
  return *Tokenizer::Create(*trainer->Finish());
}

TEST(TokenizerFileTest, WhatIsWrittenIsReadBackTheSame) {
  for (const std::string& pattern : {std::string(kGpt2Pattern), std::string("\\s+|\\S+")}) {
    const auto tokenizer = Trained(pattern);
    const auto again = ParseTokenizer(TokenizerJson(*tokenizer), "tokenizer.json");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ((*again)->hash(), tokenizer->hash());
    EXPECT_EQ((*again)->vocabulary_size(), tokenizer->vocabulary_size());
  }
}

TEST(TokenizerFileTest, RefusesEachComponentItLacksByName) {
  const Json good = *ParseJson(TokenizerJson(*Trained(kGpt2Pattern)), "good");
  const auto message_with = [&](const char* pointer, const Json& value) {
    Json changed = good;
    changed[Json::json_pointer(pointer)] = value;
    const auto parsed = ParseTokenizer(changed.dump(), "t.json");
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << pointer;
    return std::string(parsed.status().message());
  };
  EXPECT_THAT(message_with("/model/type", "WordPiece"), HasSubstr("model WordPiece"));
  EXPECT_THAT(message_with("/model/dropout", 0.1), HasSubstr("model.dropout"));
  EXPECT_THAT(message_with("/model/end_of_word_suffix", "</w>"), HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(message_with("/model/unk_token", "<unk>"), HasSubstr("unk_token \"<unk>\""));
  EXPECT_THAT(message_with("/model/shiny", true), HasSubstr("shiny"));
  EXPECT_THAT(message_with("/normalizer", {{"type", "Nmt"}}),
              HasSubstr("normalizer Nmt is not supported; NFC, NFD"));
  EXPECT_THAT(message_with("/normalizer", {{"type", "NFC"}, {"form", 3}}), HasSubstr("form"));
  EXPECT_THAT(message_with("/pre_tokenizer", {{"type", "Punctuation"}}),
              HasSubstr("pre_tokenizer Punctuation is not supported; ByteLevel, Split"));
  EXPECT_THAT(message_with("/post_processor", {{"type", "BertProcessing"}}),
              HasSubstr("post_processor BertProcessing is not supported; TemplateProcessing"));
  EXPECT_THAT(message_with("/decoder", {{"type", "CTC"}}),
              HasSubstr("decoder CTC is not supported; ByteLevel, ByteFallback"));
  EXPECT_THAT(message_with("/added_tokens/0/shiny", true), HasSubstr("shiny"));
  EXPECT_THAT(message_with("/version", "2.0"), HasSubstr("version 2.0"));
  EXPECT_THAT(message_with("/model/merges/0", "a"), HasSubstr("not two tokens"));
  EXPECT_THAT(message_with("/model/merges/0", "a zzzz"), HasSubstr("vocabulary lacks"));
  EXPECT_THAT(message_with("/model/vocab/!", -3), HasSubstr("must be 0"));
  EXPECT_THAT(message_with("/model/vocab/!", 16'000'000), HasSubstr("but is 16000000"));
  EXPECT_THAT(message_with("/model/vocab/!", 4), HasSubstr("given twice"));
}

TEST(TokenizerFileTest, RefusesWhatIsNoTokenizer) {
  EXPECT_FALSE(ParseTokenizer("[1]", "t.json").ok());
  EXPECT_FALSE(ParseTokenizer("{\"model\": 3", "t.json").ok());
  EXPECT_EQ(LoadTokenizer("/nonexistent/tokenizer.json").status().code(),
            absl::StatusCode::kNotFound);
}

TEST(TokenizerFileTest, FindsTheTokenizerOfADirectory) {
  const std::string directory = ::testing::TempDir() + "/tokenizer_of_directory";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  EXPECT_EQ(LoadTokenizerOf(directory).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(directory + "/tokenizer.model", "x").ok());
  EXPECT_THAT(std::string(LoadTokenizerOf(directory).status().message()),
              HasSubstr("not a SentencePiece model"));
  ASSERT_TRUE(
      WriteFileAtomically(directory + "/vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<|end|>": 3})")
          .ok());
  ASSERT_TRUE(WriteFileAtomically(directory + "/merges.txt", "#version: 0.2\na b\n").ok());
  const auto gpt2 = LoadTokenizerOf(directory);
  ASSERT_TRUE(gpt2.ok()) << gpt2.status();
  EXPECT_EQ(gpt2->path, directory + "/vocab.json");
  EXPECT_EQ(*FindVocabularyFile(directory), gpt2->path);
  EXPECT_EQ(gpt2->tokenizer->EncodeWithAdded("ab<|end|>a"), (std::vector<TokenId>{2, 3, 0}));
  ASSERT_TRUE(SaveTokenizer(*Trained(kGpt2Pattern), {}, directory).ok());
  EXPECT_EQ(LoadTokenizerOf(directory)->path, directory + "/tokenizer.json");
}

TEST(TokenizerFileTest, SavesTheConfigBesideIt) {
  const std::string directory = ::testing::TempDir() + "/tokenizer_file_test";
  std::filesystem::create_directories(directory);
  const auto tokenizer = Trained(kGpt2Pattern);
  TokenizerConfig config;
  config.end_token = "<|end|>";
  config.model_max_length = 96;
  ASSERT_TRUE(SaveTokenizer(*tokenizer, config, directory).ok());
  EXPECT_EQ((*LoadTokenizer(directory + "/tokenizer.json"))->hash(), tokenizer->hash());
  const Json json = *ReadJsonFile(directory + "/tokenizer_config.json");
  EXPECT_EQ(json["eos_token"], "<|end|>");
  EXPECT_EQ(json["model_max_length"], 96);
  EXPECT_FALSE(json.contains("pad_token"));
}

}  // namespace
}  // namespace trainyard::tokenizer
