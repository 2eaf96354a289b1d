#include "worker/train_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/worker/training_world.h"

namespace trainyard::worker {
namespace {

using checkpoint::DType;

class TrainModelTest : public ::testing::Test {
 protected:
  absl::StatusOr<TrainModel> Build(const TrainJob& job) {
    return BuildTrainModel(job, tokenizer_, at::kCPU);
  }
  // A directory with the model of `job`, bound to a tokenizer.
  std::string Save(const TrainJob& job, const std::string& tokenizer_sha256) {
    const std::string directory = world_.path() + "/saved";
    EXPECT_TRUE(MakeDirectories(directory).ok());
    const auto saved = model::SaveModel(Build(job)->model, directory,
                                        {.card = {.tokenizer_sha256 = tokenizer_sha256}});
    EXPECT_TRUE(saved.ok()) << saved.status();
    return directory;
  }
  static bool Equal(const model::Model& a, const model::Model& b) {
    const auto of_a = model::Parameters(a), of_b = model::Parameters(b);
    for (size_t i = 0; i < of_a.size(); ++i) {
      if (!at::equal(of_a[i].tensor, of_b[i].tensor)) return false;
    }
    return of_a.size() == of_b.size();
  }

  TrainingWorld world_;
  const TokenizerFiles tokenizer_ =
      *OpenTokenizer(world_.Job(TrainKind::kPretrain, DType::kF32).tokenizer_directory);
};

TEST_F(TrainModelTest, ANewModelHasTheTokenizersVocabularyAndPadAndWantsGradients) {
  const auto built = Build(world_.Job(TrainKind::kPretrain, DType::kF64));
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ(built->model.config.vocab_size, tokenizer_.tokenizer->vocabulary_size());
  EXPECT_EQ(built->model.config.pad_token_id, tokenizer_.pad_id);
  EXPECT_TRUE(built->exact.empty());
  for (const NamedTensor& parameter : model::Parameters(built->model)) {
    EXPECT_TRUE(parameter.tensor.requires_grad()) << parameter.name;
    EXPECT_EQ(parameter.tensor.scalar_type(), at::kDouble) << parameter.name;
  }
}

TEST_F(TrainModelTest, TheSeedAloneMakesANewModel) {
  TrainJob job = world_.Job(TrainKind::kPretrain, DType::kF32);
  const auto first = Build(job), again = Build(job);
  EXPECT_TRUE(Equal(first->model, again->model));
  job.seed += 1;
  EXPECT_FALSE(Equal(first->model, Build(job)->model));
}

TEST_F(TrainModelTest, AVocabularyThatIsTooSmallForTheTokenizerIsRefused) {
  TrainJob job = world_.Job(TrainKind::kPretrain, DType::kF32);
  job.new_model->config.vocab_size = tokenizer_.tokenizer->vocabulary_size() - 1;
  const absl::Status status = Build(job).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  job.new_model->config.vocab_size = tokenizer_.tokenizer->vocabulary_size() + 5;
  EXPECT_TRUE(Build(job).ok()) << "rows that no id uses are allowed";
}

TEST_F(TrainModelTest, RoundedWeightsStartFromTheirExactValues) {
  const auto rounded = Build(world_.Job(TrainKind::kPretrain, DType::kBF16));
  const auto exact = Build(world_.Job(TrainKind::kPretrain, DType::kF32));
  ASSERT_TRUE(rounded.ok()) << rounded.status();
  const auto parameters = model::Parameters(rounded->model);
  const auto expected = model::Parameters(exact->model);
  ASSERT_EQ(rounded->exact.size(), parameters.size());
  const auto optimizer = *AdamW::Create(parameters, {});
  UseExactMasters(*rounded, *optimizer);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor start = expected[i].tensor.detach();
    EXPECT_EQ(parameters[i].tensor.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::equal(parameters[i].tensor, start.to(at::kBFloat16))) << parameters[i].name;
    EXPECT_TRUE(at::equal(optimizer->masters()[i], start)) << parameters[i].name;
  }
}

TEST_F(TrainModelTest, TheTrainedModelIsTheMastersAndNotTheirRounding) {
  const auto built = Build(world_.Job(TrainKind::kPretrain, DType::kBF16));
  const auto optimizer = *AdamW::Create(model::Parameters(built->model), {});
  UseExactMasters(*built, *optimizer);
  const auto trained = TrainedModel(built->model, *optimizer);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const auto parameters = model::Parameters(*trained);
  for (size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_FALSE(parameters[i].tensor.requires_grad());
    EXPECT_TRUE(at::equal(parameters[i].tensor, built->exact[i].detach())) << parameters[i].name;
  }
  parameters[0].tensor.zero_();
  EXPECT_FALSE(at::equal(parameters[0].tensor, optimizer->masters()[0])) << "it is a copy";
}

TEST_F(TrainModelTest, ARewardModelIsTheLanguageModelsTrunkWithAHeadOfItsOwn) {
  const auto sft = Build(world_.Job(TrainKind::kSft, DType::kF32));
  const TrainJob job = world_.Job(TrainKind::kRewardModel, DType::kF32);
  const auto reward = Build(job);
  ASSERT_TRUE(reward.ok()) << reward.status();
  EXPECT_EQ(reward->model.config.head, model::Head::kScalar);
  EXPECT_TRUE(reward->model.score_weight_1D.requires_grad());
  EXPECT_TRUE(at::equal(reward->model.layers[1].qkv_weight, sft->model.layers[1].qkv_weight));

  TrainJob again = job;
  again.init_from = Save(job, "");
  const auto trained_on = Build(again);
  ASSERT_TRUE(trained_on.ok()) << trained_on.status();
  EXPECT_TRUE(Equal(trained_on->model, reward->model)) << "its head is kept";
  again.kind = TrainKind::kSft;
  EXPECT_FALSE(Build(again).ok()) << "it has no LM head";
}

TEST_F(TrainModelTest, WithAdaptersThereIsNoExactCopyOfWhatIsFrozen) {
  TrainJob job = world_.Job(TrainKind::kRewardModel, DType::kBF16);
  job.lora = model::AdapterOptions{2, 4, {"o_proj"}};
  const auto built = Build(job);
  ASSERT_TRUE(built.ok()) << built.status();
  const auto trained = model::TrainedParameters(built->model);
  ASSERT_EQ(trained.size(), 2 * 2 + 1);
  EXPECT_EQ(built->exact.size(), trained.size());
  EXPECT_EQ(built->model.layers[0].out_weight.scalar_type(), at::kBFloat16);
  EXPECT_FALSE(built->model.layers[0].out_weight.requires_grad());
  EXPECT_EQ(trained[0].tensor.scalar_type(), at::kFloat);
  const auto optimizer = *AdamW::Create(trained, {});
  UseExactMasters(*built, *optimizer);
  for (size_t i = 0; i < trained.size(); ++i) {
    EXPECT_TRUE(at::equal(optimizer->masters()[i], built->exact[i].detach())) << trained[i].name;
  }
}

TEST_F(TrainModelTest, TheExactBaseComesBackAndNoOther) {
  TrainJob job = world_.Job(TrainKind::kSft, DType::kBF16);
  job.lora = model::AdapterOptions{2, 4, {}};
  const auto built = Build(job);
  model::Model trained = model::CloneModel(built->model, at::kFloat, at::kCPU);
  ASSERT_TRUE(UseExactBase(job, tokenizer_, built->base_digest, trained).ok());
  job.lora.reset();
  job.dtype = DType::kF32;
  const auto exact = Build(job);
  EXPECT_TRUE(Equal(trained, exact->model));
  exact->model.layers[0].up_weight.detach()[0][0] += 1.0;
  const std::string other = world_.path() + "/other";
  ASSERT_TRUE(MakeDirectories(other).ok());
  ASSERT_TRUE(model::SaveModel(exact->model, other, {}).ok());
  job.init_from = other;
  const absl::Status status = UseExactBase(job, tokenizer_, built->base_digest, trained);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(TrainModelTest, AModelOfAnotherTokenizerIsRefused) {
  TrainJob job = world_.Job(TrainKind::kSft, DType::kF32);
  job.init_from = Save(job, std::string(64, 'f'));
  const absl::Status status = Build(job).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("was trained with tokenizer ffffffffffff"), std::string::npos)
      << status;
}

TEST_F(TrainModelTest, AModelOfTheSameTokenizerIsTrainedOn) {
  TrainJob job = world_.Job(TrainKind::kSft, DType::kF32);
  job.init_from = Save(job, tokenizer_.sha256);
  EXPECT_TRUE(Build(job).ok());
}

}  // namespace
}  // namespace trainyard::worker
