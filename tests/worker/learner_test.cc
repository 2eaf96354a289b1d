#include "worker/learner.h"

#include <cmath>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/atomic_file.h"
#include "checkpoint/manifest.h"
#include "checkpoint/tensor_io.h"
#include "collective/local_group.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/learner_fixture.h"

namespace trainyard::worker {
namespace {

using checkpoint::DType;
using testing::HasSubstr;

void Ignore(const MinibatchProgress&) {}

// Runs `body(learner, rank)` on a thread per rank.
void OnRanks(int ranks, const LearnerOptions& options, const LearnerModels& models,
             const std::function<void(Learner&, int)>& body) {
  auto groups = collective::LocalGroups(ranks, absl::Seconds(60));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      auto learner = Learner::Create(options, models, groups[rank].get());
      ASSERT_TRUE(learner.ok()) << learner.status();
      body(**learner, rank);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class LearnerTest : public testing::Test {
 protected:
  std::unique_ptr<Learner> Make(const LearnerOptions& options) {
    auto learner = Learner::Create(options, tiny_.models(), group_.get());
    EXPECT_TRUE(learner.ok()) << learner.status();
    return *std::move(learner);
  }
  std::string NewDirectory(const std::string& name) {
    const std::string path = absl::StrCat(tiny_.root(), "/", name);
    std::filesystem::create_directories(path);
    return path;
  }

  TinyModels tiny_;
  std::unique_ptr<collective::Group> group_ = collective::SingleRankGroup();
};

std::map<std::string, std::vector<double>> Weights(const std::string& directory) {
  std::map<std::string, std::vector<double>> weights;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".safetensors") continue;
    auto file = checkpoint::SafetensorsFile::Open(entry.path());
    const auto tensors = checkpoint::ReadTensors(**file);
    for (const auto& [name, tensor] : *tensors) {
      const at::Tensor values = tensor.to(at::kDouble).contiguous();
      const double* const begin = values.const_data_ptr<double>();
      weights[name].assign(begin, begin + values.numel());
    }
  }
  return weights;
}

TEST_F(LearnerTest, RanksAgreeWithOneRank) {
  std::map<std::string, std::vector<double>> one;
  std::map<std::string, double> one_metrics;
  for (int ranks : {1, 2, 4}) {
    const std::string directory = NewDirectory(absl::StrCat("ranks-", ranks));
    std::vector<std::string> digests(ranks);
    std::map<std::string, double> metrics;
    OnRanks(ranks, TinyOptions(DType::kF64), tiny_.models(), [&](Learner& learner, int rank) {
      for (int64_t iteration = 0; iteration < 3; ++iteration) {
        const auto result = learner.Update(TinyUpdate(iteration, 11, ranks), Ignore);
        ASSERT_TRUE(result.ok()) << result.status();
        digests[rank] = result->weights_digest;
        if (rank == 0) metrics = result->metrics;
        EXPECT_EQ(result->metrics.at("first_ratio_distance"), 0.0);
      }
      ASSERT_TRUE(learner.Save(3, directory).ok());
    });
    for (const std::string& digest : digests) EXPECT_EQ(digest, digests[0]);
    const auto weights = Weights(directory);
    if (ranks == 1) {
      one = weights;
      one_metrics = metrics;
      continue;
    }
    ASSERT_EQ(weights.size(), one.size());
    for (const auto& [name, values] : weights) {
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_NEAR(values[i], one[name][i], 1e-9) << name << " on " << ranks << " ranks";
      }
    }
    for (const auto& [name, value] : metrics) EXPECT_NEAR(value, one_metrics[name], 1e-7) << name;
  }
}

TEST_F(LearnerTest, ResumeEqualsNeverStoppedBitForBitAtAnyWorldSizeOfTheFiles) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    auto straight = Make(TinyOptions(dtype));
    for (int64_t i = 0; i < 4; ++i) ASSERT_TRUE(straight->Update(TinyUpdate(i, 9, 1), Ignore).ok());

    auto first = Make(TinyOptions(dtype));
    for (int64_t i = 0; i < 2; ++i) ASSERT_TRUE(first->Update(TinyUpdate(i, 9, 1), Ignore).ok());
    const std::string directory = NewDirectory(absl::StrCat("resume-", static_cast<int>(dtype)));
    const auto saved = first->Save(2, directory);
    ASSERT_TRUE(saved.ok()) << saved.status();
    checkpoint::Manifest manifest;
    manifest.files = saved->files;
    manifest.sections["learner"] = saved->state;

    auto second = Make(TinyOptions(dtype));
    ASSERT_TRUE(second->Restore(directory, manifest, "sha").ok());
    EXPECT_EQ(second->Spec().iteration, 2);
    EXPECT_EQ(second->Spec().version, 2);
    EXPECT_EQ(second->Spec().restored_manifest_sha256, "sha");
    absl::StatusOr<IterationResult> result;
    for (int64_t i = 2; i < 4; ++i) result = second->Update(TinyUpdate(i, 9, 1), Ignore);
    ASSERT_TRUE(result.ok()) << result.status();

    const auto a = straight->Save(4, NewDirectory(absl::StrCat("a", static_cast<int>(dtype))));
    const auto b = second->Save(4, NewDirectory(absl::StrCat("b", static_cast<int>(dtype))));
    EXPECT_EQ(a->files[0].xxh3, b->files[0].xxh3);
    EXPECT_EQ(a->state, b->state);
  }
}

TEST_F(LearnerTest, AShareOfEachRankMakesOneCheckpoint) {
  const std::string directory = NewDirectory("shares");
  checkpoint::Manifest manifest;
  std::vector<SavedShare> shares(3);
  OnRanks(3, TinyOptions(DType::kF32), tiny_.models(), [&](Learner& learner, int rank) {
    ASSERT_TRUE(learner.Update(TinyUpdate(0, 9, 3), Ignore).ok());
    shares[rank] = *learner.Save(1, directory);
  });
  for (const SavedShare& share : shares) {
    EXPECT_EQ(share.state, shares[0].state);
    manifest.files.insert(manifest.files.end(), share.files.begin(), share.files.end());
  }
  manifest.sections["learner"] = shares[0].state;
  auto learner = Make(TinyOptions(DType::kF32));
  EXPECT_TRUE(learner->Restore(directory, manifest, "sha").ok());

  manifest.files.pop_back();
  EXPECT_EQ(Make(TinyOptions(DType::kF32))->Restore(directory, manifest, "sha").code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(LearnerTest, ARepeatGetsTheStoredResultAndAnythingElseIsRefused) {
  auto learner = Make(TinyOptions(DType::kF32));
  const UpdateInput input = TinyUpdate(0, 9, 1);
  int progress = 0;
  const auto first = learner->Update(input, [&](const MinibatchProgress&) { ++progress; });
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(progress, 4);
  const auto again = learner->Update(input, [&](const MinibatchProgress&) { ++progress; });
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(progress, 4);
  EXPECT_EQ(again->weights_digest, first->weights_digest);
  EXPECT_EQ(again->metrics, first->metrics);

  UpdateInput other = input;
  other.digest = "another";
  EXPECT_EQ(learner->Update(other, Ignore).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(learner->Update(TinyUpdate(2, 9, 1), Ignore).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(learner->Update(TinyUpdate(1, 9, 1), Ignore).ok());
}

TEST_F(LearnerTest, WarmUpOfTheCriticIsAVersionWithTheSameWeights) {
  auto learner = Make(TinyOptions(DType::kF32));
  const std::string before = (*learner->Publish(0))->digest;
  UpdateInput input = TinyUpdate(0, 9, 1);
  input.critic_only = true;
  const auto result = learner->Update(input, Ignore);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->version, 1);
  EXPECT_EQ((*learner->Publish(1))->digest, before);
}

TEST_F(LearnerTest, WhatFailsBeforeTheOptimizerMovedLeavesTheLearnerAsItWas) {
  auto learner = Make(TinyOptions(DType::kF32));
  const std::string before = (*learner->Publish(0))->digest;
  UpdateInput nan = TinyUpdate(0, 9, 1);
  nan.trajectories[3].reward = NAN;
  EXPECT_EQ(learner->Update(nan, Ignore).status().code(), absl::StatusCode::kDataLoss);
  UpdateInput forbidden = TinyUpdate(0, 9, 1);
  forbidden.trajectories[0].token_ids[forbidden.trajectories[0].spans[1].begin] = kForbiddenId;
  EXPECT_EQ(learner->Update(forbidden, Ignore).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*learner->Publish(0))->digest, before);
  EXPECT_TRUE(learner->health().ok());
  EXPECT_TRUE(learner->Update(TinyUpdate(0, 9, 1), Ignore).ok());
}

TEST_F(LearnerTest, AnUpdateThatFailedAfterAStepIsTheLearnersEnd) {
  LearnerOptions options = TinyOptions(DType::kF32);
  options.actor.schedule.peak = 1e30;  // the second minibatch finds ruins
  options.actor.schedule.warmup_steps = 0;
  auto learner = Make(options);
  EXPECT_EQ(learner->Update(TinyUpdate(0, 17, 1), Ignore).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(learner->health().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(learner->Publish(0).ok()) << "its weights are of no version";
  EXPECT_FALSE(learner->Save(0, NewDirectory("ruins")).ok());
}

TEST_F(LearnerTest, TheCriticStartsOnTheRewardsScale) {
  const std::vector<ScoredSequence> sequence = {{{5, 6, 7, 8, 9}, 1}};
  const TinyModels plain(/*normalised=*/false);
  auto raw = *Learner::Create(TinyOptions(DType::kF64), plain.models(), group_.get());
  auto folded = Make(TinyOptions(DType::kF64));
  const auto scores = (*raw->Score(ScoredModel::kCritic, sequence))[0];
  const auto values = (*folded->Score(ScoredModel::kCritic, sequence))[0];
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], (scores[i] - 0.3) / 0.7, 1e-6);
  }
}

LearnerOptions AdaptedOptions(DType dtype) {
  LearnerOptions options = TinyOptions(dtype);
  options.lora = model::AdapterOptions{4, 8, {"all-linear"}};
  options.actor.schedule.peak = options.critic.schedule.peak = 1e-2;
  return options;
}

TEST_F(LearnerTest, WithAdaptersRanksAgreeWithOneRank) {
  std::map<std::string, std::vector<double>> one;
  for (int ranks : {1, 2}) {
    const std::string directory = NewDirectory(absl::StrCat("adapted-ranks-", ranks));
    OnRanks(ranks, AdaptedOptions(DType::kF64), tiny_.models(), [&](Learner& learner, int) {
      for (int64_t iteration = 0; iteration < 2; ++iteration) {
        const auto result = learner.Update(TinyUpdate(iteration, 11, ranks), Ignore);
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(result->metrics.at("first_ratio_distance"), 0.0);
      }
      ASSERT_TRUE(learner.Save(2, directory).ok());
    });
    const auto weights = Weights(directory);
    for (const auto& [name, values] : weights) {
      EXPECT_TRUE(name.find(".lora_") != std::string::npos || name.find("score.") !=
                                                                  std::string::npos)
          << name << " is frozen and in the checkpoint";
      if (ranks == 1) continue;
      for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], one[name][i], 1e-9) << name;
    }
    one = weights;
  }
}

TEST_F(LearnerTest, WithAdaptersResumeEqualsNeverStoppedBitForBit) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    auto straight = Make(AdaptedOptions(dtype)), first = Make(AdaptedOptions(dtype));
    for (int64_t i = 0; i < 3; ++i) ASSERT_TRUE(straight->Update(TinyUpdate(i, 9, 1), Ignore).ok());
    for (int64_t i = 0; i < 2; ++i) ASSERT_TRUE(first->Update(TinyUpdate(i, 9, 1), Ignore).ok());
    const std::string suffix = absl::StrCat(static_cast<int>(dtype));
    const auto saved = first->Save(2, NewDirectory("adapted-" + suffix));
    ASSERT_TRUE(saved.ok()) << saved.status();
    checkpoint::Manifest manifest;
    manifest.files = saved->files;
    manifest.sections["learner"] = saved->state;
    auto second = Make(AdaptedOptions(dtype));
    ASSERT_TRUE(second->Restore(NewDirectory("adapted-" + suffix), manifest, "sha").ok());
    ASSERT_TRUE(second->Update(TinyUpdate(2, 9, 1), Ignore).ok());
    const auto a = straight->Save(3, NewDirectory("adapted-a" + suffix));
    const auto b = second->Save(3, NewDirectory("adapted-b" + suffix));
    EXPECT_EQ(a->files[0].xxh3, b->files[0].xxh3);
    EXPECT_EQ(a->state, b->state);

    LearnerOptions other = AdaptedOptions(dtype);
    other.lora->rank = 2;
    const absl::Status refused =
        Make(other)->Restore(NewDirectory("adapted-" + suffix), manifest, "sha");
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
    EXPECT_THAT(refused.message(), HasSubstr("the checkpoint's adapters are"));
    EXPECT_FALSE(Make(TinyOptions(dtype))
                     ->Restore(NewDirectory("adapted-" + suffix), manifest, "sha")
                     .ok());
  }
}

// Far below the gates of a run (worker/ppo_spec.cc): fp32 differs by the order of sums, bf16
// computes with the very weights.
TEST_F(LearnerTest, MergedWeightsGiveTheLearnersOwnLogProbs) {
  for (const auto& [dtype, limit] : {std::pair{DType::kF32, 1e-5}, {DType::kBF16, 1e-9}}) {
    auto learner = Make(AdaptedOptions(dtype));
    for (int64_t i = 0; i < 4; ++i) ASSERT_TRUE(learner->Update(TinyUpdate(i, 17, 1), Ignore).ok());
    const std::string directory = NewDirectory(absl::StrCat("merged", static_cast<int>(dtype)));
    ASSERT_TRUE(learner->Export(directory, PolicyForm::kModel).ok());
    auto merged = *Learner::Create(TinyOptions(dtype), {directory, "", ""}, group_.get());
    std::vector<ScoredSequence> sequences;
    for (const rl::Trajectory& trajectory : TinyTrajectories(20, 0, 9)) {
      sequences.push_back({trajectory.token_ids, 1});
    }
    const auto own = *learner->Score(ScoredModel::kPolicy, sequences);
    const auto theirs = *merged->Score(ScoredModel::kPolicy, sequences);
    const auto start = *learner->Score(ScoredModel::kReference, sequences);
    double gap = 0, moved = 0, tokens = 0;
    for (size_t i = 0; i < own.size(); ++i) {
      for (size_t t = 0; t < own[i].size(); ++t) {
        gap += std::abs(own[i][t] - theirs[i][t]);
        moved += std::abs(own[i][t] - start[i][t]);
        tokens += 1;
      }
    }
    EXPECT_LT(gap / tokens, limit);
    EXPECT_GT(moved / tokens, 0.05) << "else the gap says little";
  }
}

TEST_F(LearnerTest, TheReferenceIsThePolicyWithoutItsAdapters) {
  const std::vector<ScoredSequence> sequence = {{{5, 6, 7, 8, 9}, 1}};
  auto learner = Make(AdaptedOptions(DType::kF32));
  const auto start = *learner->Score(ScoredModel::kPolicy, sequence);
  ASSERT_TRUE(learner->Update(TinyUpdate(0, 9, 1), Ignore).ok());
  EXPECT_EQ(*learner->Score(ScoredModel::kReference, sequence), start);
  EXPECT_NE(*learner->Score(ScoredModel::kPolicy, sequence), start);
}

TEST_F(LearnerTest, ACriticWithoutAModelOfItsOwnSharesThePolicysFrozenTrunk) {
  LearnerModels models = tiny_.models();
  models.critic.clear();
  auto learner = *Learner::Create(AdaptedOptions(DType::kF32), models, group_.get());
  const std::vector<ScoredSequence> sequence = {{{5, 6, 7, 8, 9}, 1}};
  const auto values = *learner->Score(ScoredModel::kCritic, sequence);
  const auto result = learner->Update(TinyUpdate(0, 9, 1), Ignore);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NE(*learner->Score(ScoredModel::kCritic, sequence), values);
  EXPECT_GT(result->metrics.at("critic_grad_norm"), 0);
}

TEST_F(LearnerTest, ThePolicysAdaptersAreExportedAndPublishedMerged) {
  auto learner = Make(AdaptedOptions(DType::kF32));
  ASSERT_TRUE(learner->Update(TinyUpdate(0, 9, 1), Ignore).ok());
  const auto files = learner->Export(NewDirectory("policy-adapter"), PolicyForm::kAdapter);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->at(0).path, "adapter_model.safetensors");
  EXPECT_EQ(Weights(tiny_.root() + "/policy-adapter").size(), 2 * 2 * 7);
  const auto published = *learner->Publish(1);
  for (const PublishedTensor& tensor : published->tensors) {
    EXPECT_EQ(tensor.name.find("lora"), std::string::npos) << tensor.name;
  }
  EXPECT_EQ(published->tensors.size(),
            (*Make(TinyOptions(DType::kF32))->Publish(0))->tensors.size());
  EXPECT_EQ(Make(TinyOptions(DType::kF32))
                ->Export(NewDirectory("no-adapter"), PolicyForm::kAdapter)
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(LearnerTest, PublishedWeightsAreASnapshot) {
  auto learner = Make(TinyOptions(DType::kF32));
  const auto weights = *learner->Publish(0);
  const std::string copy(weights->Bytes(weights->tensors[0]));
  ASSERT_TRUE(learner->Update(TinyUpdate(0, 9, 1), Ignore).ok());
  EXPECT_EQ(copy, std::string(weights->Bytes(weights->tensors[0])));
  EXPECT_NE((*learner->Publish(1))->digest, weights->digest);
  EXPECT_FALSE(learner->Publish(0).ok());
}

TEST_F(LearnerTest, ARewardModelOfAnotherTokenizerIsRefused) {
  LearnerModels models = tiny_.models();
  models.tokenizer_sha256 = "another tokenizer";
  const absl::Status status =
      Learner::Create(TinyOptions(DType::kF32), models, group_.get()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("another tokenizer"));
}

TEST_F(LearnerTest, OptionsOutOfTheirLimitsAreNamed) {
  LearnerOptions options = TinyOptions(DType::kF32);
  options.loss.dual_clip = 0.5;
  EXPECT_THAT(Learner::Create(options, tiny_.models(), group_.get()).status().message(),
              HasSubstr("dual_clip is 0.5"));
}

}  // namespace
}  // namespace trainyard::worker
