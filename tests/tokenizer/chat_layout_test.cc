#include "tokenizer/chat_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer/chat_catalog.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

constexpr ChatEnd kWhole = ChatEnd::kWhole;
constexpr ChatEnd kAsk = ChatEnd::kAskAnswer;

struct Laid {
  std::string text;
  std::string trained;
  std::string error;
};

Laid Lay(absl::string_view name, const std::vector<ChatMessage>& messages, ChatEnd end = kWhole) {
  const auto spec = NamedChatTemplate(name, {"<s>", "</s>"});
  EXPECT_TRUE(spec.ok()) << spec.status();
  const auto pieces = LayOutChat(*spec, messages, end);
  if (!pieces.ok()) return {"", "", std::string(pieces.status().message())};
  Laid laid;
  for (const ChatPiece& piece : *pieces) {
    laid.text += piece.text;
    if (piece.trained) laid.trained += piece.text;
  }
  return laid;
}

const std::vector<ChatMessage> kTwoTurns = {
    {"system", "S"}, {"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}};

TEST(ChatLayoutTest, Llama2PutsTheSystemMessageIntoTheFirstUsers) {
  const Laid laid = Lay("llama2", kTwoTurns);
  EXPECT_EQ(laid.text,
            "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\na [/INST] b </s><s>[INST] c [/INST] d </s>");
  EXPECT_EQ(laid.trained, " b </s> d </s>");
}

TEST(ChatLayoutTest, MistralV3PutsItIntoTheLastUsersOnlyWhenThatIsAsked) {
  const std::vector<ChatMessage> asked(kTwoTurns.begin(), kTwoTurns.end() - 1);
  EXPECT_EQ(Lay("mistral_v3", asked, kAsk).text, "<s>[INST] a[/INST] b</s>[INST] S\n\nc[/INST]");
  EXPECT_EQ(Lay("mistral_v3", kTwoTurns).text, "<s>[INST] a[/INST] b</s>[INST] c[/INST] d</s>");
}

TEST(ChatLayoutTest, WhiteSpaceOfUnicodeIsTrimmedWhereTheTemplateSaysSo) {
  const std::vector<ChatMessage> spaced = {{"user", "\xE3\x80\x80 a\xC2\xA0\n"},
                                           {"assistant", "\t b\x1C"}};
  EXPECT_EQ(Lay("llama2", spaced).text, "<s>[INST] a [/INST] b </s>");
  EXPECT_EQ(Lay("mistral", spaced).text,
            "<s> [INST] \xE3\x80\x80 a\xC2\xA0\n [/INST] \t b\x1C</s>");
  EXPECT_EQ(StripWhitespace("\xA0x\xFF "), "\xA0x\xFF");  // not UTF-8: stays
  EXPECT_EQ(StripWhitespace(" \xE2\x80\x83\n"), "");
}

TEST(ChatLayoutTest, AUserWhoSaysNothingTakesTheTagsOfTheSystemMessageWithHim) {
  EXPECT_EQ(Lay("llama2", {{"system", "S"}, {"user", " \n"}}).text,
            "<s>[INST] <<SYS>>\nS\n<</SYS>> [/INST]");
}

TEST(ChatLayoutTest, Qwen3DropsThoughtsOfEarlierTurnsAndKeepsTheLast) {
  const std::vector<ChatMessage> messages = {{"user", "a"},
                                             {"assistant", "<think>\nold\n</think>\n\nb"},
                                             {"user", "c"},
                                             {"assistant", "<think>\nnew\n</think>\n\nd"}};
  const Laid laid = Lay("qwen3", messages);
  EXPECT_EQ(laid.text,
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
            "<|im_start|>user\nc<|im_end|>\n"
            "<|im_start|>assistant\n<think>\nnew\n</think>\n\nd<|im_end|>\n");
  EXPECT_EQ(laid.trained, "b<|im_end|><think>\nnew\n</think>\n\nd<|im_end|>");
}

TEST(ChatLayoutTest, WithoutThinkingTheEmptyTagsBelongToTheQuestion) {
  const std::vector<ChatMessage> messages = {{"user", "a"}, {"assistant", "b"}};
  EXPECT_EQ(Lay("qwen3", messages).trained, "<think>\n\n</think>\n\nb<|im_end|>");
  EXPECT_EQ(Lay("qwen3_nothink", messages).trained, "b<|im_end|>");
  EXPECT_EQ(Lay("qwen3_nothink", messages).text, Lay("qwen3", messages).text);
  EXPECT_EQ(Lay("qwen3_nothink", {{"user", "a"}}, kAsk).text,
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  EXPECT_EQ(Lay("qwen3", {{"user", "a"}}, kAsk).text,
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatLayoutTest, ADefaultSystemMessageStandsOnlyWhereNoneIsGiven) {
  EXPECT_THAT(Lay("smollm2", {{"user", "a"}}).text,
              HasSubstr("<|im_start|>system\nYou are a helpful AI assistant named SmolLM"));
  EXPECT_EQ(Lay("smollm2", {{"system", "S"}, {"user", "a"}}).text,
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n");
}

TEST(ChatLayoutTest, TagsAndTextsAreToldApart) {
  const auto pieces =
      LayOutChat(*NamedChatTemplate("alpaca", {"", "</s>"}), {{"user", "a"}}, kAsk);
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  std::string said;
  for (const ChatPiece& piece : *pieces) said += piece.tag ? "|" : piece.text;
  EXPECT_EQ(said, "||a||");
}

TEST(ChatLayoutTest, WhatATemplateCanNotSayIsRefused) {
  EXPECT_THAT(Lay("chatml", {}).error, HasSubstr("no message"));
  EXPECT_THAT(Lay("chatml", {{"tool", "x"}}).error, HasSubstr("role \"tool\""));
  EXPECT_THAT(Lay("llama2", {{"user", "a"}, {"user", "b"}}).error,
              HasSubstr("must alternate user, assistant, user, ...: message 2 is of \"user\""));
  EXPECT_THAT(Lay("llama2", {{"user", "a"}, {"system", "b"}}).error, HasSubstr("must come first"));
  EXPECT_THAT(Lay("mistral_v0", {{"system", "a"}}).error, HasSubstr("role \"system\""));
}

}  // namespace
}  // namespace trainyard::tokenizer
