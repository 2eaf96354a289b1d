#include "tokenizer/sentencepiece_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/tokenizer/random_text.h"
#include "tests/tokenizer/sentencepiece_oracle.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

constexpr char kLikeLlama[] =
    "--model_type=bpe --vocab_size=700 --byte_fallback=true --normalization_rule_name=identity "
    "--remove_extra_whitespaces=false --character_coverage=0.98 --hard_vocab_limit=false "
    "--minloglevel=4";

std::string Line(int seed) {
  std::string line = RandomText(seed, 20);
  line.erase(std::remove(line.begin(), line.end(), '\n'), line.end());
  return line;
}

std::string Trained(const std::string& flags) {
  std::vector<std::string> lines;
  for (int seed = 0; seed < 300; ++seed) lines.push_back(Line(seed));
  return trainyard::testing::TrainSentencePiece(lines, flags);
}

std::string Message(const std::string& bytes) {
  return std::string(ParseSentencePieceModel(bytes, "tokenizer.model").status().message());
}

TEST(SentencePieceFileTest, GivesTheIdsAndTextsOfSentencePiece) {
  for (const char* more : {"", " --add_dummy_prefix=false", " --split_digits=true"}) {
    const std::string model = Trained(absl::StrCat(kLikeLlama, more));
    auto spec = ParseSentencePieceModel(model, "tokenizer.model");
    ASSERT_TRUE(spec.ok()) << spec.status();
    const auto tokenizer = *Tokenizer::Create(*std::move(spec));
    for (int seed = 0; seed < 500; ++seed) {
      const std::string text = Line(1'000 + seed);
      const std::vector<TokenId> ids = tokenizer->Encode(text);
      ASSERT_EQ(ids, trainyard::testing::EncodeWithSentencePiece(model, text)) << text;
      ASSERT_EQ(tokenizer->Decode(ids, SpecialTokens::kKeep),
                trainyard::testing::DecodeWithSentencePiece(model, ids));
      ASSERT_EQ(tokenizer->EncodeWithTemplate(text)[0], tokenizer->AddedId("<s>"));
    }
  }
}

TEST(SentencePieceFileTest, NamesWhatIsNotSupported) {
  const std::string like = kLikeLlama;
  const auto with = [&](absl::string_view from, absl::string_view to) {
    std::string flags = like;
    flags.replace(flags.find(std::string(from)), from.size(), std::string(to));
    return Message(Trained(flags));
  };
  EXPECT_THAT(with("=bpe", "=unigram"), HasSubstr("model_type 1 is not supported; BPE (2) is"));
  EXPECT_THAT(with("=identity", "=nmt_nfkc"), HasSubstr("precompiled_charsmap"));
  EXPECT_THAT(with("whitespaces=false", "whitespaces=true"), HasSubstr("remove_extra_whitespaces"));
}

TEST(SentencePieceFileTest, RefusesAFileCutShortAnywhere) {
  const std::string model = Trained(kLikeLlama);
  int refused = 0;
  for (size_t size = 0; size < model.size(); size += 97) {
    refused += ParseSentencePieceModel(absl::string_view(model).substr(0, size), "m").ok() ? 0 : 1;
  }
  // A cut between two pieces leaves a shorter model: it lacks the specs, whose defaults are
  // refused.
  EXPECT_EQ(refused, static_cast<int>((model.size() + 96) / 97));
  EXPECT_THAT(Message("what"), HasSubstr("not a SentencePiece model"));
}

}  // namespace
}  // namespace trainyard::tokenizer
