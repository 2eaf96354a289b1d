#include "tokenizer/chat_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_split.h"
#include "tokenizer/chat_jinja.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const ChatTokens kTokens = {"<s>", "</s>"};

TEST(ChatCatalogTest, EveryNameIsATemplateThatIsRecognisedByWhatIsWrittenOfIt) {
  const std::vector<std::string> names = absl::StrSplit(ChatTemplateNames(), ", ");
  EXPECT_GE(names.size(), 12u);
  for (const std::string& name : names) {
    EXPECT_TRUE(IsChatTemplateName(name));
    const auto spec = NamedChatTemplate(name, kTokens);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->name, name);
    const auto found = RecogniseChatTemplate(ChatTemplateJinja(*spec), kTokens, "here");
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->name, name);
  }
}

TEST(ChatCatalogTest, AnUnknownNameIsToldTheOthers) {
  EXPECT_FALSE(IsChatTemplateName("gemma"));
  EXPECT_THAT(std::string(NamedChatTemplate("gemma", kTokens).status().message()),
              AllOf(HasSubstr("\"gemma\""), HasSubstr("llama3"), HasSubstr("custom")));
}

TEST(ChatCatalogTest, ATemplateThatEndsWithTheEndTokenNeedsOne) {
  for (const char* name : {"llama2", "mistral", "zephyr", "alpaca", "plain"}) {
    EXPECT_THAT(std::string(NamedChatTemplate(name, {"<s>", ""}).status().message()),
                HasSubstr("give end_of_turn"))
        << name;
    EXPECT_EQ(NamedChatTemplate(name, {"", "<|end|>"})->end_of_turn, "<|end|>");
  }
  EXPECT_EQ(NamedChatTemplate("llama3", {})->end_of_turn, "<|eot_id|>");
}

TEST(ChatCatalogTest, AnUnknownTextIsRefusedWithItsPlaceAndWhatToName) {
  const auto unknown =
      RecogniseChatTemplate("{{ messages[0]['content'] }}", kTokens, "dir/tokenizer_config.json");
  EXPECT_THAT(std::string(unknown.status().message()),
              AllOf(HasSubstr("dir/tokenizer_config.json holds a chat template"),
                    HasSubstr("fingerprint "), HasSubstr("chat_template.name: chatml, ")));
}

}  // namespace
}  // namespace trainyard::tokenizer
