#include "tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tokenizer/random_text.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TokenizerParts TrainedParts() {
  auto trainer = *BpeTrainer::Create({600, {"<|end|>", "<|end|>er"}});
  for (int seed = 0; seed < 100; ++seed) trainer->Feed(RandomText(seed, 60));
  return *trainer->Finish();
}

class TokenizerTest : public ::testing::Test {
 protected:
  const std::shared_ptr<const Tokenizer> tokenizer_ = *Tokenizer::Create(TrainedParts());
};

TEST_F(TokenizerTest, AnyTextRoundTripsAndBrokenBytesAsReplacementCharacters) {
  Encoder encoder(*tokenizer_);
  for (int seed = 0; seed < 3'000; ++seed) {
    const std::string text =
        seed % 2 == 0 ? RandomText(seed, 1 + seed % 40) : RandomBytes(seed, 1 + seed % 40);
    const std::vector<TokenId> ids = tokenizer_->Encode(text);
    ASSERT_EQ(tokenizer_->Decode(ids, SpecialTokens::kKeep), ReplaceInvalidUtf8(text));
    ASSERT_EQ(ids, tokenizer_->Encode(ReplaceInvalidUtf8(text)));
    std::vector<TokenId> cached;
    encoder.Encode(text, &cached);
    ASSERT_EQ(cached, ids) << text;
  }
}

TEST_F(TokenizerTest, LookAlikesInUserTextStayText) {
  for (const TokenId id : tokenizer_->Encode("a<|end|>b")) EXPECT_FALSE(tokenizer_->IsSpecial(id));
  EXPECT_EQ(tokenizer_->EncodeWithAdded("<|end|>"), std::vector<TokenId>{0});
}

TEST_F(TokenizerTest, TheLongestAddedTokenWins) {
  EXPECT_THAT(tokenizer_->EncodeWithAdded("<|end|>er<|end|>e"),
              ElementsAre(1, 0, tokenizer_->Encode("e")[0]));
}

TEST_F(TokenizerTest, DecodingSkipsSpecialsWhenAsked) {
  const std::vector<TokenId> ids = tokenizer_->EncodeWithAdded("a<|end|>b");
  EXPECT_EQ(tokenizer_->Decode(ids, SpecialTokens::kSkip), "ab");
  EXPECT_EQ(tokenizer_->Decode(ids, SpecialTokens::kKeep), "a<|end|>b");
  EXPECT_EQ(tokenizer_->Decode({-5, 1'000'000}, SpecialTokens::kKeep), "");
}

TEST_F(TokenizerTest, TheHashFollowsEverythingThatChangesAnId) {
  const TokenizerParts parts = TrainedParts();
  EXPECT_EQ((*Tokenizer::Create(parts))->hash(), tokenizer_->hash());
  EXPECT_EQ((*Tokenizer::Create(tokenizer_->spec()))->hash(), tokenizer_->hash());
  std::vector<TokenizerParts> variants(4, parts);
  std::swap(variants[0].merges[0], variants[0].merges[1]);
  variants[1].added[0].content = "<|stop|>";
  variants[2].add_prefix_space = true;
  variants[3].pattern = "\\s+|\\S+";
  for (const TokenizerParts& variant : variants) {
    EXPECT_NE((*Tokenizer::Create(variant))->hash(), tokenizer_->hash());
  }
}

TEST_F(TokenizerTest, AskingForATokenThatIsNotThereListsThoseThatAre) {
  EXPECT_EQ(*tokenizer_->RequireAddedId("<|end|>"), 0);
  const auto missing = tokenizer_->RequireAddedId("<|stop|>");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("\"<|end|>\""));
}

TEST_F(TokenizerTest, AddedTokensThatAreNotSpecialAreFoundInUserText) {
  TokenizerParts parts = TrainedParts();
  parts.added.push_back({700, "<think>", false});
  const auto tokenizer = *Tokenizer::Create(parts);
  EXPECT_THAT(tokenizer->Encode("<think>"), ElementsAre(700));
  EXPECT_EQ(tokenizer->Decode({700}, SpecialTokens::kSkip), "<think>");
}

TEST_F(TokenizerTest, AddedTokensOutsideOfTheVocabularyGetTheNextIds) {
  TokenizerSpec spec = tokenizer_->spec();
  const TokenId next = tokenizer_->vocabulary_size();
  spec.added.push_back({99'999, "<|new|>", true});
  spec.added.push_back({5, "<|newer|>", true});
  const auto tokenizer = *Tokenizer::Create(spec);
  EXPECT_EQ(tokenizer->AddedId("<|new|>"), next);
  EXPECT_EQ(tokenizer->AddedId("<|newer|>"), next + 1);
  EXPECT_EQ(tokenizer->vocabulary_size(), next + 2);
}

TEST_F(TokenizerTest, TheTemplateIsPutAroundATextOnlyWhenAskedFor) {
  TokenizerSpec spec = tokenizer_->spec();
  spec.post_processor = *ParseJson(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "b", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [], "special_tokens": {"b": {"id": "b", "ids": [1, 0], "tokens": ["x", "y"]}}})",
                                   "template");
  const auto tokenizer = *Tokenizer::Create(spec);
  const std::vector<TokenId> alone = tokenizer->EncodeWithAdded("e");
  EXPECT_THAT(tokenizer->EncodeWithTemplate("e"), ElementsAre(1, 0, alone[0]));
}

TEST_F(TokenizerTest, RefusesAnAddedTokenGivenTwiceOrEmpty) {
  TokenizerParts parts = TrainedParts();
  parts.added.push_back({700, "<|end|>", true});
  EXPECT_THAT(std::string(Tokenizer::Create(parts).status().message()), HasSubstr("given twice"));
  parts.added.back() = {700, "", true};
  EXPECT_FALSE(Tokenizer::Create(parts).ok());
}

}  // namespace
}  // namespace trainyard::tokenizer
