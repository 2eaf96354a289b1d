#include "model/adapter_files.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "checkpoint/tensor_io.h"
#include "model/adapters.h"
#include "model/numerics.h"
#include "tests/model/tiny_model.h"
#include "tests/support/process.h"

namespace trainyard::model {
namespace {

using ::testing::HasSubstr;

Model Adapted(Family family, Head head, const AdapterOptions& options) {
  SetComputeThreads(1);
  Model model = TinyModel(family, at::kFloat, head);
  EXPECT_TRUE(AddAdapters(model, options, 1).ok());
  return model;
}

TEST(AdapterFilesTest, NamesAreThoseOfPeft) {
  const auto llama = PeftTensors(Adapted(Family::kLlama, Head::kScalar, {2, 0, {}}));
  EXPECT_EQ(llama[0].name, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
  EXPECT_EQ(llama[3].name, "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight");
  EXPECT_EQ(llama.back().name, "base_model.model.score.weight");
  const auto gpt2 = PeftTensors(Adapted(Family::kGpt2, Head::kLm, {2, 0, {}}));
  EXPECT_EQ(gpt2.back().name, "base_model.model.transformer.h.1.attn.c_attn.lora_B.weight");
}

TEST(AdapterFilesTest, TheConfigTellsPeftWhatWasTrained) {
  const Json llama = PeftConfig(Adapted(Family::kLlama, Head::kLm, {4, 10, {"o_proj"}}), "/base");
  EXPECT_EQ(llama["peft_type"], "LORA");
  EXPECT_EQ(llama["task_type"], "CAUSAL_LM");
  EXPECT_EQ(llama["r"], 4);
  EXPECT_EQ(llama["lora_alpha"], 10);
  EXPECT_EQ(llama["fan_in_fan_out"], false);
  EXPECT_EQ(llama["base_model_name_or_path"], "/base");
  EXPECT_EQ(llama["target_modules"], Json{"o_proj"});
  EXPECT_TRUE(llama["modules_to_save"].is_null());
  const Json reward =
      PeftConfig(Adapted(Family::kGpt2, Head::kScalar, {4, 2.5, {"attn.c_proj"}}), "");
  EXPECT_EQ(reward["task_type"], "SEQ_CLS");
  EXPECT_EQ(reward["modules_to_save"], Json{"score"});
  EXPECT_EQ(reward["lora_alpha"], 2.5);
  EXPECT_EQ(reward["fan_in_fan_out"], true);
  EXPECT_EQ(reward["target_modules"], Json{"attn.c_proj"}) << "c_proj would mean the MLP's too";
  EXPECT_EQ(PeftConfig(Adapted(Family::kGpt2, Head::kLm, {4, 0, {"c_proj"}}), "")["target_modules"],
            Json{"c_proj"});
}

TEST(AdapterFilesTest, TheFilesHoldTheFactorsAndAreNoModel) {
  const testing::TempDir dir;
  const Model model = Adapted(Family::kLlama, Head::kLm, {2, 0, {}});
  const auto saved = SaveAdapter(model, dir.path(), {"base", {.tokenizer_sha256 = "abc"}});
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->size(), 3);
  const auto file = checkpoint::SafetensorsFile::Open(dir.File("adapter_model.safetensors"));
  const auto tensors = checkpoint::ReadTensors(**file);
  EXPECT_EQ(tensors->size(), PeftTensors(model).size());
  EXPECT_EQ(ReadModelCard(dir.path())->tokenizer_sha256, "abc");
  const absl::Status loaded = LoadModel(dir.path(), {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(loaded)) << loaded;
  EXPECT_THAT(std::string(loaded.message()), HasSubstr("holds an adapter"));
  EXPECT_TRUE(absl::IsAlreadyExists(SaveAdapter(model, dir.path(), {}).status()));
}

TEST(AdapterFilesTest, AModelWithoutAdaptersIsRefused) {
  const testing::TempDir dir;
  EXPECT_TRUE(absl::IsFailedPrecondition(
      SaveAdapter(TinyModel(Family::kLlama, at::kFloat), dir.path(), {}).status()));
}

}  // namespace
}  // namespace trainyard::model
