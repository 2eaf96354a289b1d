#include "cli/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/cli/chat_model.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"

namespace trainyard::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int32_t kEnd = 258;

class ConversationTest : public ::testing::Test {
 protected:
  ConversationTest() { WriteChatModel(dir_.path()); }
  Conversation Open() { return *Conversation::Open(dir_.path(), ""); }
  std::string Prompt(const Conversation& conversation, const std::string& text) {
    const auto request = conversation.Ask(text, sampling_);
    if (!request.ok()) return std::string(request.status().message());
    const auto& ids = request->prompts(0).token_ids();
    return tokenizer_->Decode({ids.data(), static_cast<size_t>(ids.size())},
                              tokenizer::SpecialTokens::kKeep);
  }
  testing::TempDir dir_;
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer_ =
      testing::ByteTokenizer({"<|user|>", "<|assistant|>", "<|end|>"});
  v1::SamplingSpec sampling_;
};

TEST_F(ConversationTest, EachTurnIsAskedWithAllThatWasSaid) {
  Conversation conversation = Open();
  EXPECT_EQ(Prompt(conversation, "hi"), "<|user|>hi<|assistant|>");
  conversation.Keep("hi", "yo");
  conversation.SetSystem("Be brief.");
  EXPECT_EQ(Prompt(conversation, "and?"),
            "Be brief.\n<|user|>hi<|assistant|>yo<|end|><|user|>and?<|assistant|>");
  conversation.Reset();
  EXPECT_EQ(Prompt(conversation, "new"), "Be brief.\n<|user|>new<|assistant|>");
  conversation.SetSystem("");
  EXPECT_EQ(Prompt(conversation, "<|end|>"), "<|user|><|end|><|assistant|>");
  EXPECT_EQ(conversation.Ask("<|end|>", sampling_)->prompts(0).token_ids_size(), 9)
      << "what looks like a special token stays text";
}

TEST_F(ConversationTest, TheRequestIsOneStreamedAnswerBySampling) {
  Conversation conversation = Open();
  sampling_.set_temperature(0.5);
  sampling_.set_top_k(3);
  sampling_.set_min_p(0.1);
  sampling_.set_seed(7);
  sampling_.add_forbidden_tokens("<|user|>");
  sampling_.add_stop("\n");
  sampling_.add_allowed_tokens("a");
  v1::LogitBias* const bias = sampling_.add_logit_bias();
  bias->set_token("b");
  bias->set_bias(2);
  const auto request = conversation.Ask("hi", sampling_);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->stream());
  EXPECT_EQ(request->seed(), 7u);
  EXPECT_EQ(request->prompts(0).n(), 1);
  EXPECT_EQ(request->tokenizer_hash().size(), 64u);
  EXPECT_EQ(request->sampling().temperature(), 0.5);
  EXPECT_EQ(request->sampling().top_k(), 3);
  EXPECT_EQ(request->sampling().min_p(), 0.1);
  EXPECT_THAT(request->sampling().end_ids(), ElementsAre(kEnd));
  EXPECT_THAT(request->sampling().forbidden_ids(), ElementsAre(256));
  EXPECT_THAT(request->sampling().stop_strings(), ElementsAre("\n"));
  EXPECT_THAT(request->sampling().allowed_ids(), ElementsAre('a'));
  EXPECT_EQ(request->sampling().logit_bias(0).token_id(), 'b');
  EXPECT_EQ(request->sampling().max_new_tokens(), 60) << "all that the context leaves";
  conversation.Keep("hi", "yo");
  EXPECT_NE(conversation.Ask("hi", sampling_)->prompts(0).row(), request->prompts(0).row());
  sampling_.add_stop_tokens("two");
  EXPECT_THAT(Prompt(conversation, "hi"), HasSubstr("\"two\" is 3 tokens to this model"));
}

TEST_F(ConversationTest, WhatDoesNotFitTheContextIsRefusedWithTheNumbers) {
  Conversation conversation = Open();
  EXPECT_THAT(Prompt(conversation, std::string(61, 'x')), ::testing::StartsWith("<|user|>"));
  EXPECT_THAT(Prompt(conversation, std::string(62, 'x')),
              HasSubstr("has 64 tokens; with 1 for the answer that is more than the model's "
                        "context of 64: begin anew (/reset)"));
  sampling_.set_max_new_tokens(60);
  EXPECT_THAT(Prompt(conversation, "hi"), ::testing::StartsWith("<|user|>"));
  EXPECT_THAT(Prompt(conversation, "hi!"), HasSubstr("has 5 tokens; with 60 for the answer"));
}

TEST_F(ConversationTest, SeveralAnswersAreNoChat) {
  const Conversation conversation = Open();
  sampling_.set_n(2);
  EXPECT_THAT(Prompt(conversation, "hi"), HasSubstr("a chat has one answer to each message"));
  sampling_.set_n(1);
  sampling_.mutable_beam()->set_width(2);
  EXPECT_THAT(Prompt(conversation, "hi"), HasSubstr("leave out --n, --best-of and --beams"));
}

TEST_F(ConversationTest, TheAnswerIsTheTextBehindThePromptWithoutSpecialTokens) {
  const Conversation conversation = Open();
  const v1::GenerateRequest request = *conversation.Ask("hi", sampling_);
  v1::Trajectory trajectory;
  *trajectory.mutable_token_ids() = request.prompts(0).token_ids();
  EXPECT_EQ(conversation.AnswerOf(request, trajectory), "");
  for (const int32_t id : {int32_t{'y'}, int32_t{'o'}, kEnd}) trajectory.add_token_ids(id);
  EXPECT_EQ(conversation.AnswerOf(request, trajectory), "yo");
}

TEST_F(ConversationTest, AModelWithoutATemplateAsksForOne) {
  ASSERT_TRUE(WriteFileAtomically(dir_.File("manifest.json"), "{}").ok());
  EXPECT_THAT(std::string(Conversation::Open(dir_.path(), "").status().message()),
              HasSubstr("the model has no chat template; name one: --chat-template with chatml"));
  EXPECT_THAT(std::string(Conversation::Open(dir_.path(), "none").status().message()),
              HasSubstr("a chat needs a template"));
  EXPECT_THAT(std::string(Conversation::Open(dir_.path(), "mine").status().message()),
              HasSubstr("mine"));
  EXPECT_TRUE(Conversation::Open(dir_.path(), "plain").ok());
}

}  // namespace
}  // namespace trainyard::cli
