#include "cli/model_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "checkpoint/manifest.h"
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
