#include "spec/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/atomic_file.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"

namespace trainyard::spec {
namespace {

using ::testing::HasSubstr;

class FieldsTest : public ::testing::Test {
 protected:
  FieldsTest() { assignment_.roots = Roots({{"runs", dir_.path()}}); }
  void Write(const std::string& name) {
    const std::string path = dir_.File(name);
    EXPECT_TRUE(MakeDirectories(path.substr(0, path.rfind('/'))).ok());
    EXPECT_TRUE(WriteFileAtomically(path, "{}\n").ok());
  }

  testing::TempDir dir_;
  task::Assignment assignment_;
};

TEST_F(FieldsTest, TheRowsOfAnArtifactAreItsOneFile) {
  Write("answers/rows.jsonl");
  Write("answers/manifest.json");
  EXPECT_EQ(RowsFile(dir_.File("answers")).value_or(""), dir_.File("answers/rows.jsonl"));
  EXPECT_EQ(RowsFile(dir_.File("answers/rows.jsonl")).value_or(""),
            dir_.File("answers/rows.jsonl"));
  Write("answers/more.jsonl");
  const absl::Status several = RowsFile(dir_.File("answers")).status();
  EXPECT_TRUE(absl::IsNotFound(several));
  EXPECT_THAT(std::string(several.message()), HasSubstr("holds 2 files *.jsonl (or *.jsonl.gz, "));
  Write("packed/rows.jsonl.zst");
  EXPECT_EQ(RowsFile(dir_.File("packed")).value_or(""), dir_.File("packed/rows.jsonl.zst"));
}

TEST_F(FieldsTest, ASourceIsCalledAsItWasGiven) {
  Write("answers/rows.jsonl");
  task::Artifact answers;
  answers.uri = "root://runs/answers";
  assignment_.artifacts["generate/answers"] = answers;
  v1::DataSource source;
  source.mutable_file()->set_artifact("generate/answers");
  source.add_groups("train");
  const auto parsed = ParseRows(source, "prompts", assignment_);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->name, "generate/answers");
  EXPECT_EQ(parsed->paths, std::vector<std::string>{dir_.File("answers/rows.jsonl")});
  EXPECT_EQ(parsed->format, data::SourceFormat::kJsonl);
  EXPECT_EQ(parsed->groups, std::vector<std::string>{"train"});
}

TEST_F(FieldsTest, TheAssistantsTurnOfACustomTemplateAlwaysCloses) {
  v1::ChatTemplate wire;
  wire.set_name("custom");
  wire.set_end_of_turn("<end>");
  v1::RoleTemplate* assistant = wire.add_roles();
  assistant->set_role("assistant");
  assistant->set_prefix("A: ");
  assistant->set_suffix("\n");
  v1::RoleTemplate* user = wire.add_roles();
  user->set_role("user");
  user->set_suffix("\n");
  const auto spec = ParseChatTemplate(wire, dir_.path());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->roles.at("assistant").suffix, "<end>\n");
  EXPECT_EQ(spec->roles.at("user").suffix, "\n");
  assistant->set_suffix(" <end>\n");
  wire.mutable_roles(0)->set_suffix(" <end>\n");
  EXPECT_EQ(ParseChatTemplate(wire, dir_.path())->roles.at("assistant").suffix, " <end>\n");
}

TEST_F(FieldsTest, ARoleThatIsGivenTwiceIsRefusedForEveryKindOfJob) {
  v1::ChatTemplate wire;
  wire.set_name("custom");
  wire.add_roles()->set_role("user");
  wire.add_roles()->set_role("user");
  const absl::Status twice = ParseChatTemplate(wire, dir_.path()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(twice));
  EXPECT_THAT(std::string(twice.message()), HasSubstr("\"user\" twice"));
}

TEST_F(FieldsTest, ATemplateByNameNeedsNoRoles) {
  v1::ChatTemplate wire;
  wire.set_name("chatml");
  EXPECT_TRUE(ParseChatTemplate(wire, dir_.path()).ok());
  wire.set_name("unheard of");
  EXPECT_TRUE(absl::IsInvalidArgument(ParseChatTemplate(wire, dir_.path()).status()));
}

TEST_F(FieldsTest, ATemplateThatEndsWithTheEndTokenTakesTheTokenizersUnlessOneIsGiven) {
  v1::ChatTemplate wire;
  wire.set_name("zephyr");
  EXPECT_THAT(std::string(ParseChatTemplate(wire, dir_.path()).status().message()),
              HasSubstr("give end_of_turn"));
  ASSERT_TRUE(WriteFileAtomically(dir_.File("tokenizer_config.json"),
                                  R"({"eos_token": "</s>"})").ok());
  EXPECT_EQ(ParseChatTemplate(wire, dir_.path())->end_of_turn, "</s>");
  wire.set_end_of_turn("<end>");
  EXPECT_EQ(ParseChatTemplate(wire, dir_.path())->end_of_turn, "<end>");
  wire.set_name("chatml");
  EXPECT_THAT(std::string(ParseChatTemplate(wire, dir_.path()).status().message()),
              HasSubstr("\"chatml\" ends turns with \"<|im_end|>\": leave it out"));
}

TEST_F(FieldsTest, WithoutANameTheTemplateIsTheTokenizersOwn) {
  v1::ChatTemplate wire;
  EXPECT_THAT(std::string(ParseChatTemplate(wire, dir_.path()).status().message()),
              HasSubstr("has no chat template of its own; name one in chat_template.name: chatml"));
  const auto llama3 = tokenizer::NamedChatTemplate("llama3", {});
  ASSERT_TRUE(llama3.ok()) << llama3.status();
  ASSERT_TRUE(WriteFileAtomically(dir_.File("chat_template.jinja"),
                                  tokenizer::ChatTemplateJinja(*llama3)).ok());
  EXPECT_EQ(ParseChatTemplate(wire, dir_.path())->name, "llama3");
  wire.set_name("auto");
  EXPECT_EQ(ParseChatTemplate(wire, dir_.path())->name, "llama3");
}

TEST_F(FieldsTest, ATokenIsAnAddedOneOrATextOfOneToken) {
  const auto tokenizer = testing::ByteTokenizer({"<end>"});
  EXPECT_EQ(TokenOf(*tokenizer, "<end>", "ppo.sampling").value_or(-1), 256);
  EXPECT_EQ(TokenOf(*tokenizer, "a", "ppo.sampling").value_or(-1), 'a');
  const absl::Status two = TokenOf(*tokenizer, "ab", "ppo.sampling").status();
  EXPECT_TRUE(absl::IsInvalidArgument(two));
  EXPECT_EQ(two.message(),
            "ppo.sampling names the token \"ab\", which is 2 tokens of this tokenizer");
}

TEST(CheckRecomputableTest, WhatLearnersDoNotKnowIsNamed) {
  v1::SamplingSpec sampling;
  sampling.set_temperature(0.7);
  sampling.set_top_k(4);
  sampling.set_min_p(0.1);
  sampling.set_typical_p(0.9);
  sampling.set_repetition_penalty(1);
  EXPECT_TRUE(CheckRecomputable(sampling, "s").ok());
  const std::vector<std::pair<std::string, std::function<void(v1::SamplingSpec&)>>> changes = {
      {"repetition_penalty", [](auto& s) { s.set_repetition_penalty(1.1); }},
      {"presence_penalty", [](auto& s) { s.set_presence_penalty(-1); }},
      {"frequency_penalty", [](auto& s) { s.set_frequency_penalty(1); }},
      {"logit_bias", [](auto& s) { s.add_logit_bias(); }},
      {"allowed_tokens", [](auto& s) { s.add_allowed_tokens("a"); }},
      {"best_of", [](auto& s) { s.set_best_of(2); }},
      {"beam", [](auto& s) { s.mutable_beam(); }}};
  for (const auto& [field, change] : changes) {
    v1::SamplingSpec changed = sampling;
    change(changed);
    const absl::Status status = CheckRecomputable(changed, "s");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), ::testing::StartsWith("s." + field + " is set"));
  }
}

}  // namespace
}  // namespace trainyard::spec
