#include "tokenizer/chat_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/support/process.h"
#include "tokenizer/chat_jinja.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ChatFilesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically(dir_.File(name), text).ok());
  }
  void Configure(const Json& config) { Write("tokenizer_config.json", config.dump()); }
  static std::string Jinja(absl::string_view name) {
    return ChatTemplateJinja(*NamedChatTemplate(name, {"<s>", "</s>"}));
  }
  std::string OwnName() {
    const auto own = OwnChatTemplate(dir_.path());
    EXPECT_TRUE(own.ok()) << own.status();
    return own.ok() && own->has_value() ? (*own)->name : "";
  }

  trainyard::testing::TempDir dir_;
};

TEST_F(ChatFilesTest, TokensComeInBothFormsOfTransformers) {
  EXPECT_EQ(ReadChatTokens(dir_.path())->end, "");
  Configure({{"bos_token", nullptr}, {"eos_token", {{"content", "</s>"}}}});
  EXPECT_EQ(ReadChatTokens(dir_.path())->begin, "");
  EXPECT_EQ(ReadChatTokens(dir_.path())->end, "</s>");
  Configure({{"bos_token", {{"content", 3}}}, {"eos_token", {"</s>"}}});  // neither form: none
  EXPECT_EQ(ReadChatTokens(dir_.path())->begin, "");
  EXPECT_EQ(ReadChatTokens(dir_.path())->end, "");
}

TEST_F(ChatFilesTest, TheTemplateIsTheManifestsThenTheJinjaFilesThenTheConfigs) {
  EXPECT_EQ(OwnName(), "");
  Configure({{"eos_token", "</s>"}, {"bos_token", "<s>"}, {"chat_template", Jinja("zephyr")}});
  EXPECT_EQ(OwnName(), "zephyr");
  Write("chat_template.jinja", Jinja("llama3"));
  EXPECT_EQ(OwnName(), "llama3");
  const Json recorded = ChatTemplateJson(*NamedChatTemplate("smollm2", {}));
  Write("manifest.json", Json{{"sections", {{"chat_template", recorded}}}}.dump());
  EXPECT_EQ(OwnName(), "smollm2");
}

TEST_F(ChatFilesTest, OfSeveralTemplatesTheDefaultCounts) {
  Configure({{"chat_template",
              {{{"name", "tool_use"}, {"template", "{{ tools }}"}},
               {{"name", "default"}, {"template", Jinja("chatml")}}}}});
  EXPECT_EQ(OwnName(), "chatml");
  Configure({{"chat_template", {{{"name", "tool_use"}, {"template", "x"}}}}});
  EXPECT_THAT(std::string(OwnChatTemplate(dir_.path()).status().message()),
              HasSubstr("a list with one named \"default\""));
}

TEST_F(ChatFilesTest, AnUnknownTemplateNamesItsFile) {
  Configure({{"chat_template", "{{ messages }}"}});
  EXPECT_THAT(std::string(OwnChatTemplate(dir_.path()).status().message()),
              AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("chat_template.name")));
}

TEST_F(ChatFilesTest, AnExportCarriesTheTemplateItWasTrainedWith) {
  Write("tokenizer.json", "{}");
  Configure({{"eos_token", "</s>"}, {"chat_template", "{{ messages }}"}});
  Write("chat_template.jinja", "{{ messages }}");
  const ChatTemplateSpec spec = *NamedChatTemplate("zephyr", {"", "</s>"});
  const auto files = TokenizerFilesWith(&spec, dir_.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->count("chat_template.jinja"), 0u) << "it would win over the config";
  EXPECT_EQ(files->at("tokenizer.json"), "{}");
  const Json config = *ParseJson(files->at("tokenizer_config.json"), "config");
  EXPECT_EQ(config["chat_template"], ChatTemplateJinja(spec));
  EXPECT_EQ(config["eos_token"], "</s>");
}

TEST_F(ChatFilesTest, ATextThatIsTheTemplateStaysAsItIs) {
  Write("tokenizer.json", "{}");
  Configure({{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  const std::string text = "{# as published #}" + Jinja("zephyr");
  Write("chat_template.jinja", text);
  const ChatTemplateSpec spec = *NamedChatTemplate("zephyr", {"<s>", "</s>"});
  const auto files = TokenizerFilesWith(&spec, dir_.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->at("chat_template.jinja"), text);
  EXPECT_FALSE(ParseJson(files->at("tokenizer_config.json"), "c")->contains("chat_template"));
  EXPECT_EQ(TokenizerFilesWith(nullptr, dir_.path())->at("chat_template.jinja"), text);
}

TEST_F(ChatFilesTest, ATokenizerWithoutAConfigGetsOne) {
  Write("tokenizer.json", "{}");
  const ChatTemplateSpec spec = *NamedChatTemplate("chatml", {});
  const Json config =
      *ParseJson(TokenizerFilesWith(&spec, dir_.path())->at("tokenizer_config.json"), "config");
  EXPECT_EQ(config["eos_token"], "<|im_end|>");
  EXPECT_EQ(config["tokenizer_class"], "PreTrainedTokenizerFast");
  EXPECT_EQ(TokenizerFilesWith(nullptr, dir_.path())->count("tokenizer_config.json"), 0u);
}

}  // namespace
}  // namespace trainyard::tokenizer
