#include "tokenizer/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tokenizer/random_text.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

TokenizerParts Train(BpeTrainerOptions options, const std::vector<std::string>& texts) {
  auto trainer = BpeTrainer::Create(std::move(options));
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  for (const std::string& text : texts) (*trainer)->Feed(text);
  auto parts = (*trainer)->Finish();
  EXPECT_TRUE(parts.ok()) << parts.status();
  return *std::move(parts);
}

// The definition, word by word and without any cleverness.
std::vector<std::pair<std::string, std::string>> NaiveMerges(const std::string& text, int count) {
  std::vector<absl::string_view> pieces;
  MakeGpt2Pattern()->Isolate(text, &pieces);
  const TokenizerParts bytes = Train({256, {}}, {text});
  absl::flat_hash_map<std::string, TokenId> ids;
  for (size_t id = 0; id < 256; ++id) ids[bytes.token_bytes[id]] = static_cast<TokenId>(id);
  std::vector<std::vector<std::string>> words;
  for (const absl::string_view piece : pieces) {
    std::vector<std::string> word;
    for (const char byte : piece) word.emplace_back(1, byte);
    words.push_back(word);
  }
  std::vector<std::pair<std::string, std::string>> merges;
  while (merges.size() < count) {
    std::map<std::pair<TokenId, TokenId>, int> counts;
    for (const auto& word : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) ++counts[{ids[word[i]], ids[word[i + 1]]}];
    }
    std::pair<TokenId, TokenId> best;
    int best_count = 1;
    for (const auto& [pair, pair_count] : counts) {
      if (pair_count > best_count) std::tie(best, best_count) = std::tie(pair, pair_count);
    }
    if (best_count < 2) break;
    std::string left, right;
    for (const auto& [token, id] : ids) {
      if (id == best.first) left = token;
      if (id == best.second) right = token;
    }
    merges.push_back({left, right});
    ids.try_emplace(left + right, static_cast<TokenId>(ids.size()));
    for (auto& word : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) {
        if (word[i] != left || word[i + 1] != right) continue;
        word[i] += word[i + 1];
        word.erase(word.begin() + i + 1);
      }
    }
  }
  return merges;
}

TEST(BpeTrainerTest, SpecialsComeFirstThenBytesThenMerges) {
  const TokenizerParts parts = Train({300, {"<|pad|>", "<|end|>"}}, {"hug hug hugs bug"});
  EXPECT_EQ(parts.added[1].content, "<|end|>");
  EXPECT_EQ(parts.added[1].id, 1);
  EXPECT_EQ(parts.token_bytes[2], "!");
  EXPECT_EQ(parts.token_bytes[258], "ug");  // 4 times
  EXPECT_EQ(parts.token_bytes.size(), 258 + parts.merges.size());
}

TEST(BpeTrainerTest, LearnsTheMergesOfTheDefinition) {
  for (int seed = 0; seed < 20; ++seed) {
    const std::string text = RandomText(seed, 400);
    const TokenizerParts parts = Train({256 + 80, {}}, {text});
    const auto expected = NaiveMerges(text, 80);
    ASSERT_EQ(parts.merges.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(parts.token_bytes[parts.merges[i].first], expected[i].first) << seed << " " << i;
      ASSERT_EQ(parts.token_bytes[parts.merges[i].second], expected[i].second) << seed << " " << i;
    }
  }
}

TEST(BpeTrainerTest, DependsNeitherOnTheOrderOfTextsNorOnHowTheyAreFed) {
  std::vector<std::string> texts;
  for (int seed = 0; seed < 50; ++seed) texts.push_back(RandomText(seed, 30) + "\n");
  const TokenizerParts forward = Train({400, {}}, texts);
  std::reverse(texts.begin(), texts.end());
  const TokenizerParts backward = Train({400, {}}, texts);
  EXPECT_EQ(forward.token_bytes, backward.token_bytes);
  EXPECT_EQ(forward.merges, backward.merges);
}

TEST(BpeTrainerTest, StopsAtTheLeastFrequency) {
  EXPECT_TRUE(Train({300, {}}, {"abcdef"}).merges.empty());
  BpeTrainerOptions once{300, {}};
  once.min_frequency = 1;
  EXPECT_EQ(Train(once, {"abcdef"}).merges.size(), 5);
}

TEST(BpeTrainerTest, NeverMergesTheTextOfASpecialToken) {
  const TokenizerParts parts = Train({300, {"end"}}, {"end end end end bend"});
  for (size_t id = 1; id < parts.token_bytes.size(); ++id) EXPECT_NE(parts.token_bytes[id], "end");
  EXPECT_TRUE(Tokenizer::Create(parts).ok());
}

TEST(BpeTrainerTest, RefusesWhatCanNotBe) {
  EXPECT_THAT(std::string(BpeTrainer::Create({256, {"<|end|>"}}).status().message()),
              HasSubstr("257"));
  EXPECT_THAT(std::string(BpeTrainer::Create({300, {"<a>", "<a>"}}).status().message()),
              HasSubstr("given twice"));
  auto trainer = BpeTrainer::Create({300, {}});
  EXPECT_EQ((*trainer)->Finish().status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace trainyard::tokenizer
