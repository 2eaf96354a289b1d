#include "cli/model_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "checkpoint/manifest.h"
#include "coordinator/spec_checks.h"
#include "coordinator/spec_validation.h"
#include "tests/support/process.h"
#include "tokenizer/chat_template.h"

namespace trainyard::cli {
namespace {

class ModelTemplateTest : public ::testing::Test {
 protected:
  void Write(const Json& sections) {
    checkpoint::Manifest manifest;
    manifest.kind = "model";
    manifest.sections = sections;
    ASSERT_TRUE(
        WriteFileAtomically(dir_.File("manifest.json"), checkpoint::SerializeManifest(manifest))
            .ok());
  }

  testing::TempDir dir_;
};

TEST_F(ModelTemplateTest, TheTemplateOfTheTrainingIsFound) {
  tokenizer::ChatTemplateSpec spec;
  spec.end_of_turn = "<|end|>";
  spec.roles["user"] = {"<|user|>", ""};
  spec.roles["assistant"] = {"<|assistant|>", "<|end|>"};
  Write({{"chat_template", tokenizer::ChatTemplateJson(spec)}});
  const auto found = RecordedTemplate(dir_.path());
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->name(), "custom");
  EXPECT_EQ((*found)->end_of_turn(), "<|end|>");
  ASSERT_EQ((*found)->roles_size(), 2);
  EXPECT_EQ((*found)->roles(0).role(), "assistant");
  EXPECT_EQ((*found)->roles(0).prefix(), "<|assistant|>");
  EXPECT_EQ((*found)->roles(0).suffix(), "<|end|>");
}

TEST_F(ModelTemplateTest, ATemplateWithANameIsSaidByIt) {
  Write({{"chat_template",
          tokenizer::ChatTemplateJson(*tokenizer::NamedChatTemplate("llama2", {"<s>", "</s>"}))}});
  const auto found = RecordedTemplate(dir_.path());
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_EQ((*found)->name(), "llama2");
  EXPECT_EQ((*found)->end_of_turn(), "</s>");
  EXPECT_TRUE((*found)->roles().empty());
}

TEST_F(ModelTemplateTest, AModelFromElsewhereHasTheOneOfItsTokenizersFiles) {
  const std::string known =
      tokenizer::ChatTemplateJinja(*tokenizer::NamedChatTemplate("smollm2", {}));
  ASSERT_TRUE(WriteFileAtomically(dir_.File("chat_template.jinja"), known).ok());
  EXPECT_EQ((*RecordedTemplate(dir_.path()))->name(), "smollm2");
  ASSERT_TRUE(WriteFileAtomically(dir_.File("chat_template.jinja"), "{{ messages }}").ok());
  EXPECT_THAT(std::string(RecordedTemplate(dir_.path()).status().message()),
              ::testing::HasSubstr("chat_template.jinja holds a chat template that is none"));
}

TEST_F(ModelTemplateTest, TheCoordinatorTakesEveryNameThereIs) {
  std::vector<std::string> names = absl::StrSplit(tokenizer::ChatTemplateNames(), ", ");
  names.insert(names.end(), {"auto", "gemma"});
  for (const std::string& name : names) {
    v1::ChatTemplate wire;
    wire.set_name(name);
    std::vector<rpc::FieldViolation> violations;
    coordinator::ValidateChatTemplate(wire, coordinator::SpecChecks("chat_template", &violations));
    EXPECT_EQ(violations.empty(), name != "gemma") << name;
  }
}

TEST_F(ModelTemplateTest, AModelWithoutOneHasNone) {
  const auto elsewhere = RecordedTemplate(dir_.path());
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.status();
  EXPECT_FALSE(elsewhere->has_value());
  Write(Json::object());
  const auto pretrained = RecordedTemplate(dir_.path());
  ASSERT_TRUE(pretrained.ok()) << pretrained.status();
  EXPECT_FALSE(pretrained->has_value());
}

TEST_F(ModelTemplateTest, AFlagWinsAndNoneIsNone) {
  Client nowhere("127.0.0.1:1");
  const Roots roots({{"runs", dir_.path()}});
  EXPECT_FALSE(ChooseTemplate("none", "root://runs/.", roots, nowhere)->has_value());
  EXPECT_EQ((*ChooseTemplate("chatml", "root://runs/.", roots, nowhere))->name(), "chatml");
}

}  // namespace
}  // namespace trainyard::cli
