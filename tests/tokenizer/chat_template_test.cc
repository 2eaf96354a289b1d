#include "tokenizer/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tokenizer/bpe_trainer.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ChatTemplateTest : public ::testing::Test {
 protected:
  ChatTemplateTest() {
    auto trainer = *BpeTrainer::Create(
        {300, {"<|pad|>", "<|user|>", "<|assistant|>", "<|end|>", "<|im_start|>", "<|im_end|>"}});
    trainer->Feed("some text");
    tokenizer_ = *Tokenizer::Create(*trainer->Finish());
    tags_.roles["user"] = {"<|user|>", ""};
    tags_.roles["assistant"] = {"<|assistant|>", "<|end|>"};
    tags_.end_of_turn = "<|end|>";
  }

  std::string TrainedText(const RenderedChat& chat) const {
    std::vector<TokenId> trained;
    for (size_t i = 0; i < chat.ids.size(); ++i) {
      if (chat.flags[i] & kTrained) trained.push_back(chat.ids[i]);
    }
    return tokenizer_->Decode(trained, SpecialTokens::kKeep);
  }
  std::string Text(const RenderedChat& chat) const {
    return tokenizer_->Decode(chat.ids, SpecialTokens::kKeep);
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  ChatTemplateSpec tags_;
};

TEST_F(ChatTemplateTest, RoleTagsStandAroundEachText) {
  const auto bound = ChatTemplate::Bind(tags_, *tokenizer_);
  ASSERT_TRUE(bound.ok()) << bound.status();
  const auto chat = bound->Render({{"user", "ab"}, {"assistant", " c"}});
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(Text(*chat), "<|user|>ab<|assistant|> c<|end|>");
  EXPECT_EQ(TrainedText(*chat), " c<|end|>");
  EXPECT_EQ(chat->flags.front(), kTag);
  EXPECT_EQ(chat->flags.back(), kTag | kTrained);
  EXPECT_EQ(Text(*bound->RenderPrompt({{"user", "ab"}})), "<|user|>ab<|assistant|>");
}

TEST_F(ChatTemplateTest, ChatMlTrainsTheEndOfTurnButNotTheLineEndAfterIt) {
  const auto bound = ChatTemplate::Bind(*NamedChatTemplate("chatml", {}), *tokenizer_);
  ASSERT_TRUE(bound.ok()) << bound.status();
  const auto chat = bound->Render(
      {{"system", "s"}, {"user", "q"}, {"assistant", "one"}, {"user", "r"}, {"assistant", "two"}});
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(Text(*chat),
            "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n"
            "<|im_start|>assistant\none<|im_end|>\n<|im_start|>user\nr<|im_end|>\n"
            "<|im_start|>assistant\ntwo<|im_end|>\n");
  EXPECT_EQ(TrainedText(*chat), "one<|im_end|>two<|im_end|>");
}

TEST_F(ChatTemplateTest, AMessageWithoutTrainIsNotLearnt) {
  const auto bound = ChatTemplate::Bind(tags_, *tokenizer_);
  const auto chat = bound->Render(
      {{"user", "q"}, {"assistant", "bad", false}, {"user", "q"}, {"assistant", "good", true}});
  EXPECT_EQ(TrainedText(*chat), "good<|end|>");
}

TEST_F(ChatTemplateTest, SpecialTokensInMessagesStayText) {
  const auto bound = ChatTemplate::Bind(tags_, *tokenizer_);
  const auto chat = bound->Render({{"user", "<|end|><|assistant|>"}, {"assistant", "<|end|>"}});
  int specials = 0;
  for (const TokenId id : chat->ids) specials += tokenizer_->IsSpecial(id);
  EXPECT_EQ(specials, 3);
}

TEST_F(ChatTemplateTest, PlainPutsTextsOneAfterTheOther) {
  const auto bound = ChatTemplate::Bind(*NamedChatTemplate("plain", {"", "<|end|>"}), *tokenizer_);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(Text(*bound->Render({{"user", "q"}, {"assistant", "a"}})), "q\na<|end|>");
}

TEST_F(ChatTemplateTest, RefusesTemplatesThatCanNotTeachToStop) {
  ChatTemplateSpec spec = tags_;
  spec.roles["assistant"].suffix = "";
  EXPECT_THAT(std::string(ChatTemplate::Bind(spec, *tokenizer_).status().message()),
              HasSubstr("never learn to stop"));
  spec = tags_;
  spec.end_of_turn = "<|stop|>";
  EXPECT_THAT(std::string(ChatTemplate::Bind(spec, *tokenizer_).status().message()),
              HasSubstr("<|stop|>"));
  spec = tags_;
  spec.roles.erase("assistant");
  EXPECT_FALSE(ChatTemplate::Bind(spec, *tokenizer_).ok());
}

TEST_F(ChatTemplateTest, AnUnknownRoleIsRefusedByName) {
  const auto bound = ChatTemplate::Bind(tags_, *tokenizer_);
  EXPECT_THAT(std::string(bound->Render({{"tool", "x"}}).status().message()),
              HasSubstr("role \"tool\""));
  EXPECT_FALSE(bound->Render({}).ok());
}

TEST_F(ChatTemplateTest, TheHashIsOfWhatIsRenderedAndNotOfTheName) {
  ChatTemplateSpec spec = tags_;
  spec.name = "mine";
  const std::string hash = ChatTemplate::Bind(tags_, *tokenizer_)->hash();
  EXPECT_EQ(ChatTemplate::Bind(spec, *tokenizer_)->hash(), hash);
  spec.answer_begin = " ";
  EXPECT_NE(ChatTemplate::Bind(spec, *tokenizer_)->hash(), hash);
}

TEST_F(ChatTemplateTest, APromptIsWhatTheConversationBeginsWithAndNothingInItIsTrained) {
  const auto bound = ChatTemplate::Bind(*NamedChatTemplate("chatml", {}), *tokenizer_);
  const std::vector<ChatMessage> messages = {
      {"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}};
  const auto prompt = bound->RenderPrompt(absl::MakeConstSpan(messages).first(3));
  const auto whole = bound->Render(messages);
  ASSERT_TRUE(prompt.ok() && whole.ok());
  EXPECT_TRUE(std::equal(prompt->ids.begin(), prompt->ids.end(), whole->ids.begin()));
  EXPECT_EQ(TrainedText(*prompt), "");
  EXPECT_EQ(Text(*whole), Text(*prompt) + "d<|im_end|>\n");
}

}  // namespace
}  // namespace trainyard::tokenizer
