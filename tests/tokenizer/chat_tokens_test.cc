#include "tokenizer/chat_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/byte_tokenizer.h"
#include "tokenizer/bpe_trainer.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;

// "ab" and "bc" are tokens, the first merge is "bc".
std::shared_ptr<const Tokenizer> MergingTokenizer() {
  TokenizerParts parts;
  for (int byte = 0; byte < 256; ++byte) parts.token_bytes.emplace_back(1, static_cast<char>(byte));
  parts.token_bytes.push_back("bc");
  parts.token_bytes.push_back("ab");
  parts.merges = {{'b', 'c'}, {'a', 'b'}};
  parts.added = {{258, "<end>", true}, {259, "<end>>", true}};
  auto tokenizer = Tokenizer::Create(std::move(parts));
  TY_CHECK(tokenizer.ok());
  return *std::move(tokenizer);
}

TEST(ChatTokensTest, PiecesAreEncodedAsOneTextAndATokenOverABorderIsTrained) {
  const auto tokenizer = MergingTokenizer();
  const ChatPiece tag = {"xb", true, false}, text = {"cy", false, true};
  const RenderedChat chat = TokensOfChat(*tokenizer, {tag, text});
  EXPECT_THAT(chat.ids, ElementsAre('x', 256, 'y'));
  EXPECT_THAT(chat.flags, ElementsAre(kTag, kTrained, kTrained));
}

TEST(ChatTokensTest, ABorderWhereTheTextAfterItChangesTheTokensBeforeItIsFound) {
  const auto tokenizer = MergingTokenizer();
  // Alone "ab" is one token; before "c" it is 'a' and half of "bc".
  const RenderedChat chat =
      TokensOfChat(*tokenizer, {{"ab", true, false}, {"c", false, true}});
  EXPECT_THAT(chat.ids, ElementsAre('a', 256));
  EXPECT_THAT(chat.flags, ElementsAre(kTag, kTrained));
  const RenderedChat tail = TokensOfChat(*tokenizer, {{"ab", false, true}, {"cz", true, false}});
  EXPECT_THAT(tail.ids, ElementsAre('a', 256, 'z'));
  EXPECT_THAT(tail.flags, ElementsAre(kTrained, kTrained, kTag));
}

TEST(ChatTokensTest, AddedTokensCountInTagsAlone) {
  const auto tokenizer = MergingTokenizer();
  const RenderedChat chat =
      TokensOfChat(*tokenizer, {{"a<end>>", true, false}, {"<end>", false, false}});
  EXPECT_THAT(chat.ids, ElementsAre('a', 259, '<', 'e', 'n', 'd', '>'));
  EXPECT_THAT(chat.flags, ElementsAre(kTag, kTag, 0, 0, 0, 0, 0));
}

TEST(ChatTokensTest, ManyBordersInOneTextAreAllExact) {
  const auto tokenizer = testing::ByteTokenizer();
  const RenderedChat chat = TokensOfChat(
      *tokenizer, {{"Q:", true, false}, {"ab", false, false}, {"A:", true, false},
                   {"c", false, true}, {".", true, true}, {"Q:", true, false}});
  EXPECT_THAT(chat.flags, ElementsAre(kTag, kTag, 0, 0, kTag, kTag, kTrained, kTag | kTrained,
                                      kTag, kTag));
  EXPECT_TRUE(TokensOfChat(*tokenizer, {}).ids.empty());
}

}  // namespace
}  // namespace trainyard::tokenizer
