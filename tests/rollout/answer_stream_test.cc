#include "rollout/answer_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/byte_tokenizer.h"

namespace trainyard::rollout {
namespace {

using ::testing::ElementsAre;

constexpr int32_t kEnd = 256;

std::vector<int32_t> Bytes(absl::string_view text) {
  std::vector<int32_t> ids;
  for (char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

Completion Ended(int32_t sample, std::vector<int32_t> ids) {
  Completion completion;
  completion.ticket = 1;
  completion.row = 7;
  completion.sample = sample;
  completion.token_ids = std::move(ids);
  return completion;
}

class AnswerStreamTest : public ::testing::Test {
 protected:
  std::string Text(int32_t sample, std::vector<int32_t> ids) {
    return stream_.Write({1, 7, sample, std::move(ids)}).text();
  }
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer_ =
      trainyard::testing::ByteTokenizer({"<end>"});
  AnswerStream stream_{tokenizer_.get()};
};

TEST_F(AnswerStreamTest, TextIsWholeCharactersAndSpecialTokensAreLeftOut) {
  const std::vector<int32_t> euro = Bytes("\u20ac");
  EXPECT_EQ(Text(0, {'a', euro[0]}), "a");
  EXPECT_EQ(Text(0, {euro[1]}), "");
  EXPECT_EQ(Text(1, {'x'}), "x") << "another sample has a text of its own";
  EXPECT_EQ(Text(0, {euro[2], kEnd}), "\u20ac");
  EXPECT_FALSE(stream_.Rest(Ended(0, {'a', euro[0], euro[1], euro[2], kEnd})).has_value());
}

TEST_F(AnswerStreamTest, TheRestIsWhatNoDeltaTold) {
  const std::vector<int32_t> euro = Bytes("\u20ac");
  const v1::TokenDelta first = stream_.Write({1, 7, 3, {'a', 'b'}});
  EXPECT_EQ(first.row(), 7);
  EXPECT_EQ(first.sample(), 3);
  EXPECT_THAT(first.token_ids(), ElementsAre('a', 'b'));
  // An answer that ends within a character ends with the mark of a broken one.
  const auto rest = stream_.Rest(Ended(3, {'a', 'b', 'c', euro[0]}));
  ASSERT_TRUE(rest.has_value());
  EXPECT_THAT(rest->token_ids(), ElementsAre('c', euro[0]));
  EXPECT_EQ(rest->text(), "c\ufffd");
  EXPECT_EQ(rest->row(), 7);
  EXPECT_EQ(rest->sample(), 3);
}

TEST_F(AnswerStreamTest, AHeldBackCharacterIsToldWithTheEnd) {
  const std::vector<int32_t> euro = Bytes("\u20ac");
  EXPECT_EQ(Text(0, {euro[0]}), "");
  const auto rest = stream_.Rest(Ended(0, {euro[0]}));
  ASSERT_TRUE(rest.has_value());
  EXPECT_EQ(rest->token_ids_size(), 0);
  EXPECT_EQ(rest->text(), "\ufffd");
}

TEST(AnswerStreamWithoutTokenizerTest, DeltasHaveIdsAlone) {
  AnswerStream stream(nullptr);
  const v1::TokenDelta delta = stream.Write({1, 7, 0, {'a'}});
  EXPECT_THAT(delta.token_ids(), ElementsAre('a'));
  EXPECT_EQ(delta.text(), "");
  EXPECT_FALSE(stream.Rest(Ended(0, {'a'})).has_value());
}

}  // namespace
}  // namespace trainyard::rollout
