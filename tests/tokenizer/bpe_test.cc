#include "tokenizer/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Ids 0 .. 25: the letters.
std::vector<std::string> Letters() {
  std::vector<std::string> tokens;
  for (char letter = 'a'; letter <= 'z'; ++letter) tokens.emplace_back(1, letter);
  return tokens;
}

BpeModel Model(const std::vector<std::string>& tokens, const BpeModel::Merges& merges,
               const BpeOptions& options = {}) {
  BpeModel model;
  EXPECT_TRUE(model.Build(tokens, merges, options).ok());
  return model;
}

std::vector<TokenId> Encode(const BpeModel& model, absl::string_view piece) {
  std::vector<TokenId> ids;
  model.Encode(piece, &ids);
  return ids;
}

TEST(BpeModelTest, MergesByRankThenFromTheLeft) {
  std::vector<std::string> tokens = Letters();
  tokens.insert(tokens.end(), {"ab", "bc", "aa"});
  const BpeModel model = Model(tokens, {{1, 2}, {0, 1}, {0, 0}});
  EXPECT_THAT(Encode(model, "abc"), ElementsAre(0, 27));
  EXPECT_THAT(Encode(model, "aaaaa"), ElementsAre(28, 28, 0));
}

TEST(BpeModelTest, LongPiecesGetTheIdsThatShortOnesWould) {
  std::vector<std::string> tokens = Letters();
  tokens.insert(tokens.end(), {"ab", "ba", "abab", "aab"});
  const BpeModel model = Model(tokens, {{0, 1}, {1, 0}, {26, 26}, {0, 26}});
  const CounterRandom random(7);
  for (int round = 0; round < 200; ++round) {
    std::string head;  // ends where no merge can cross
    for (int i = 0; i < 50; ++i) head.push_back("ab"[random.Below(2, round * 100 + i)]);
    head += "z";
    std::vector<TokenId> twice = Encode(model, head);
    const size_t once = twice.size();
    twice.insert(twice.end(), twice.begin(), twice.begin() + once);
    ASSERT_EQ(Encode(model, head + head), twice) << head;
    std::vector<absl::string_view> parts;
    model.Cut(head + head, &parts);
    EXPECT_GE(parts.size(), 4);
  }
}

TEST(BpeModelTest, CutPiecesGiveTheSameIds) {
  std::vector<std::string> tokens = Letters();
  tokens.insert(tokens.end(), {"▁", "▁a", "ab", "é", "aé", "<unk>"});
  const BpeModel model =
      Model(tokens, {{26, 0}, {0, 1}, {0, 29}}, {.unk_token = "<unk>", .fuse_unk = true});
  const std::string text = "▁ab▁aéé!?▁!b▁▁zz";
  std::vector<absl::string_view> parts;
  model.Cut(text, &parts);
  EXPECT_GT(parts.size(), 5);
  std::vector<TokenId> ids;
  for (const absl::string_view part : parts) model.Encode(part, &ids);
  EXPECT_EQ(ids, Encode(model, text));
}

TEST(BpeModelTest, UnknownCharactersAreDroppedNamedFusedOrBytes) {
  std::vector<std::string> tokens = Letters();
  tokens.insert(tokens.end(), {"<unk>", "<0xC3>", "<0xA9>"});
  EXPECT_THAT(Encode(Model(tokens, {}), "a!!b"), ElementsAre(0, 1));
  EXPECT_THAT(Encode(Model(tokens, {}, {.unk_token = "<unk>"}), "a!!b"), ElementsAre(0, 26, 26, 1));
  EXPECT_THAT(Encode(Model(tokens, {}, {.unk_token = "<unk>", .fuse_unk = true}), "a!!b"),
              ElementsAre(0, 26, 1));
  const BpeModel bytes = Model(tokens, {}, {.unk_token = "<unk>", .byte_fallback = true});
  EXPECT_THAT(Encode(bytes, "aéb"), ElementsAre(0, 27, 28, 1));
  EXPECT_THAT(Encode(bytes, "aèb"), ElementsAre(0, 26, 1));  // one of its bytes has no token
}

// Hugging Face's own order: the token for the unknown waits for the next known character.
TEST(BpeModelTest, BytesThatStandInComeBeforeAnUnknownThatWaits) {
  std::vector<std::string> tokens = Letters();
  tokens.insert(tokens.end(), {"<unk>", "<0xC3>", "<0xA9>"});
  const BpeModel model = Model(tokens, {}, {.unk_token = "<unk>", .byte_fallback = true});
  EXPECT_THAT(Encode(model, "!éa"), ElementsAre(27, 28, 26, 0));
}

TEST(BpeModelTest, RawBytesAreReadInTheByteAlphabet) {
  const BpeModel model = Model({"Ġ", "a", "Ġa"}, {{0, 1}}, {.raw_bytes = true});
  EXPECT_THAT(Encode(model, " aa \xFF"), ElementsAre(2, 1, 0));
}

TEST(BpeModelTest, NamesWhatIsWrong) {
  BpeModel model;
  const std::vector<std::string> tokens = Letters();
  EXPECT_THAT(std::string(model.Build(tokens, {{0, 1}}, {}).message()),
              HasSubstr("merge 0 makes \"ab\", which the vocabulary lacks"));
  EXPECT_THAT(std::string(model.Build(tokens, {{0, 999}}, {}).message()), HasSubstr("999"));
  EXPECT_THAT(std::string(model.Build(tokens, {}, {.unk_token = "<unk>"}).message()),
              HasSubstr("unk_token \"<unk>\""));
}

TEST(BpeModelTest, IgnoreMergesTakesAWholePieceFirst) {
  std::vector<std::string> tokens = Letters();
  tokens.push_back("xyz");  // no merge makes it
  EXPECT_THAT(Encode(Model(tokens, {}, {.ignore_merges = true}), "xyz"), ElementsAre(26));
  EXPECT_THAT(Encode(Model(tokens, {}), "xyz"), ElementsAre(23, 24, 25));
}

}  // namespace
}  // namespace trainyard::tokenizer
