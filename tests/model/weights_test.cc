#include "model/weights.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/atomic_file.h"
#include "base/json.h"
#include "model/numerics.h"
#include "tests/model/tiny_model.h"

namespace trainyard::model {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class WeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetComputeThreads(1);
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }

  void Save(const Model& model, SaveOptions options = {}) {
    const auto records = SaveModel(model, directory_, options);
    ASSERT_TRUE(records.ok()) << records.status();
    for (const auto& record : *records) {
      EXPECT_EQ(std::filesystem::file_size(directory_ + "/" + record.path), record.size_bytes);
    }
  }

  // Replaces the tensors with what `change` makes of them.
  template <typename Change>
  void Rewrite(const Change& change) {
    const std::string path = directory_ + "/model.safetensors";
    auto tensors =
        checkpoint::ReadTensors(*checkpoint::SafetensorsFile::Open(path).value()).value();
    change(&tensors);
    std::filesystem::remove(path);
    ASSERT_TRUE(checkpoint::WriteTensors(path, tensors, {}).ok());
  }

  std::string LoadError() {
    const auto loaded = LoadModel(directory_, {});
    EXPECT_FALSE(loaded.ok());
    return std::string(loaded.status().message());
  }

  const std::string directory_ = ::testing::TempDir() + "/weights_test_model";
};

TEST_F(WeightsTest, RoundTripsBitForBit) {
  for (const Family family : {Family::kGpt2, Family::kLlama}) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      SetUp();
      const Model model = TinyModel(family, type);
      SaveOptions options;
      options.max_shard_bytes = type == at::kFloat ? uint64_t{1} << 30 : 5000;
      Save(model, options);
      const auto loaded = LoadModel(directory_, {});
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      const auto before = Parameters(model), after = Parameters(loaded->model);
      for (size_t i = 0; i < before.size(); ++i) {
        EXPECT_TRUE(at::equal(before[i].tensor, after[i].tensor)) << before[i].name;
        EXPECT_FALSE(after[i].tensor.requires_grad());
      }
    }
  }
}

TEST_F(WeightsTest, LoadsInAnotherType) {
  const Model model = TinyModel(Family::kLlama, at::kFloat);
  Save(model);
  LoadOptions options;
  options.dtype = at::kDouble;
  const auto loaded = LoadModel(directory_, options);
  ASSERT_TRUE(loaded.ok());
  EXPECT_TRUE(
      at::equal(loaded->model.token_embedding_VD, model.token_embedding_VD.to(at::kDouble)));
}

TEST_F(WeightsTest, HalfPrecisionIsWidenedAndSoAreFilesOfTwoTypes) {
  const Model model = TinyModel(Family::kLlama, at::kFloat);
  for (const auto narrow : {at::kHalf, at::kBFloat16}) {
    SetUp();
    Save(model);
    Rewrite([narrow](std::vector<NamedTensor>* tensors) {
      for (NamedTensor& named : *tensors) {
        const bool norm = named.name == "model.norm.weight";
        if (!norm || narrow == at::kHalf) named.tensor = named.tensor.to(narrow);
      }
    });
    const auto loaded = LoadModel(directory_, {});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->model.token_embedding_VD.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(loaded->model.token_embedding_VD,
                          model.token_embedding_VD.to(narrow).to(at::kFloat)));
  }
}

TEST_F(WeightsTest, TheCardOfARewardModelComesBackExactly) {
  SaveOptions options;
  options.card.tokenizer_sha256 = std::string(64, 'a');
  options.card.training_manifest_sha256 = std::string(64, 'b');
  options.card.normalisation = {0.1 + 0.2, 1.0 / 3.0, 512};
  Save(TinyModel(Family::kLlama, at::kFloat, Head::kScalar), options);
  LoadOptions wanted;
  wanted.head = Head::kScalar;
  const auto loaded = LoadModel(directory_, wanted);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->card.tokenizer_sha256, options.card.tokenizer_sha256);
  EXPECT_EQ(loaded->card.normalisation->mean, 0.1 + 0.2);
  EXPECT_EQ(loaded->card.normalisation->deviation, 1.0 / 3.0);
  const auto file = checkpoint::SafetensorsFile::Open(directory_ + "/model.safetensors").value();
  EXPECT_EQ(file->metadata().at("tokenizer_sha256"), std::string(64, 'a'));
  wanted.head = Head::kLm;
  EXPECT_THAT(std::string(LoadModel(directory_, wanted).status().message()),
              HasSubstr("is a reward model, a language model is wanted"));
}

TEST_F(WeightsTest, EveryWrongTensorIsNamed) {
  Save(TinyModel(Family::kLlama, at::kFloat));
  Rewrite([](std::vector<NamedTensor>* tensors) {
    for (NamedTensor& named : *tensors) {
      if (named.name == "model.norm.weight") named.tensor = at::ones({31});
      if (named.name == "model.embed_tokens.weight") named.tensor = named.tensor.to(at::kInt);
      if (named.name == "model.layers.0.mlp.up_proj.weight") named.name = "model.surprise";
    }
  });
  EXPECT_THAT(LoadError(),
              AllOf(HasSubstr("\"model.norm.weight\" has shape [31], config.json asks for [32]"),
                    HasSubstr("\"model.embed_tokens.weight\" has type I32"),
                    HasSubstr("\"model.layers.0.mlp.up_proj.weight\" is missing"),
                    HasSubstr("\"model.surprise\" belongs to no part")));
}

TEST_F(WeightsTest, ABaseModelsNamesGetTheirPrefix) {
  const Model model = TinyModel(Family::kGpt2, at::kFloat);
  Save(model);
  Rewrite([](std::vector<NamedTensor>* tensors) {
    for (NamedTensor& named : *tensors) named.name = named.name.substr(12);
  });
  const auto loaded = LoadModel(directory_, {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(at::equal(loaded->model.layers[1].up_weight, model.layers[1].up_weight));
}

TEST_F(WeightsTest, AMissingShardIsDataLoss) {
  SaveOptions options;
  options.max_shard_bytes = 20000;
  Save(TinyModel(Family::kLlama, at::kFloat), options);
  ASSERT_TRUE(std::filesystem::remove(directory_ + "/model-00002-of-00004.safetensors"));
  EXPECT_TRUE(absl::IsDataLoss(LoadModel(directory_, {}).status()));
}

TEST_F(WeightsTest, AnExistingModelIsNeverOverwritten) {
  const Model model = TinyModel(Family::kLlama, at::kFloat);
  Save(model);
  EXPECT_TRUE(absl::IsAlreadyExists(SaveModel(model, directory_, {}).status()));
}

TEST_F(WeightsTest, ADirectoryWithoutACardHasADefaultOneAndAMalformedOneIsRefused) {
  EXPECT_EQ(ReadModelCard(directory_)->tokenizer_sha256, "");
  ASSERT_TRUE(WriteFileAtomically(directory_ + "/trainyard.json",
                                  R"({"normalisation":{"mean":1,"deviation":0}})")
                  .ok());
  EXPECT_THAT(std::string(ReadModelCard(directory_).status().message()),
              HasSubstr("normalisation.deviation is 0"));
}

TEST_F(WeightsTest, AMissingDirectoryIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(LoadModel(directory_ + "/none", {}).status()));
}

}  // namespace
}  // namespace trainyard::model
