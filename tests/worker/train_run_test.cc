// What a training run promises as a whole: ranks do not change the result, stopping does not, and
// nothing damaged or foreign is ever gone on from.

#include "worker/train_run.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "checkpoint/safetensors.h"
#include "checkpoint/store.h"
#include "model/weights.h"
#include "tests/worker/training_world.h"

namespace trainyard::worker {
namespace {

using checkpoint::DType;

std::string KindName(TrainKind kind) {
  if (kind == TrainKind::kPretrain) return "Pretrain";
  return kind == TrainKind::kSft ? "Sft" : "RewardModel";
}

class EveryKind : public ::testing::TestWithParam<TrainKind> {
 protected:
  TrainingWorld world_;
};

INSTANTIATE_TEST_SUITE_P(TrainRun, EveryKind,
                         ::testing::Values(TrainKind::kPretrain, TrainKind::kSft,
                                         TrainKind::kRewardModel),
                         [](const auto& info) { return KindName(info.param); });

TEST_P(EveryKind, NRanksEqualOneRankInFloat64) {
  TrainJob job = world_.Job(GetParam(), DType::kF64);
  job.loop.total_steps = 10;
  const RunEnd one = world_.Run(job, {1, 1, -1, "one"});
  ASSERT_TRUE(one.finished()) << one.outcomes[0].status();
  for (int ranks : {2, 4}) {
    const RunEnd many = world_.Run(job, {ranks, 1, -1, "many" + std::to_string(ranks)});
    ASSERT_TRUE(many.finished()) << many.outcomes[0].status();
    EXPECT_LE(Distance(one, many), 1e-9) << ranks << " ranks";
    for (int step = 1; step <= 10; ++step) {
      EXPECT_NEAR(one.loss(step), many.loss(step), 1e-9) << "step " << step;
    }
    EXPECT_EQ(one.metrics.at(4).count("eval_loss"), many.metrics.at(4).count("eval_loss"));
  }
}

TEST_P(EveryKind, NRanksHaveTheSameLossesInFp32) {
  TrainJob job = world_.Job(GetParam(), DType::kF32);
  // SGD-like: AdamW's first steps turn rounding into signs.
  job.optimizer.adamw.eps = 1e-2;
  const RunEnd one = world_.Run(job, {1, 1, -1, "one"});
  const RunEnd two = world_.Run(job, {2, 1, -1, "two"});
  ASSERT_TRUE(one.finished() && two.finished());
  for (int step = 1; step <= 12; ++step) {
    EXPECT_NEAR(one.loss(step) / two.loss(step), 1, 1e-5) << "step " << step;
    EXPECT_NEAR(one.metrics.at(step).at("grad_norm") / two.metrics.at(step).at("grad_norm"), 1,
                1e-4);
  }
}

TEST_P(EveryKind, AStoppedAndResumedRunHasTheBitsOfOneThatNeverStopped) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const TrainJob job = world_.Job(GetParam(), dtype);
    const std::string suffix = dtype == DType::kF32 ? "fp32" : "bf16";
    for (int ranks : {1, 2}) {
      const std::string name = suffix + std::to_string(ranks);
      const RunEnd whole = world_.Run(job, {ranks, 1, -1, "whole" + name});
      ASSERT_TRUE(whole.finished()) << whole.outcomes[0].status();
      for (int64_t stop : {1, 5, 9}) {
        const std::string run = name + "-" + std::to_string(stop);
        const RunEnd first = world_.Run(job, {ranks, 1, stop, run});
        ASSERT_TRUE(first.outcomes[0].ok()) << first.outcomes[0].status();
        EXPECT_EQ(*first.outcomes[0], TrainOutcome::kStopped);
        const RunEnd second = world_.Run(job, {ranks, 2, -1, run});
        ASSERT_TRUE(second.finished()) << second.outcomes[0].status();
        EXPECT_EQ(second.metrics.count(1), 0) << "it started anew";
        EXPECT_TRUE(second.weights == whole.weights) << run;
        EXPECT_EQ(second.loss(12), whole.loss(12));
      }
    }
  }
}

TEST_P(EveryKind, TheSameRunTwiceHasTheSameBits) {
  const TrainJob job = world_.Job(GetParam(), DType::kBF16);
  const RunEnd one = world_.Run(job, {2, 1, -1, "a"});
  const RunEnd two = world_.Run(job, {2, 1, -1, "b"});
  ASSERT_TRUE(one.finished() && two.finished());
  EXPECT_TRUE(one.weights == two.weights);
}

// With adapters the same promises hold, and what is frozen does not move.
class EveryAdaptedKind : public EveryKind {
 protected:
  TrainJob Job(DType dtype) {
    TrainJob job = world_.Job(GetParam(), dtype);
    job.lora = model::AdapterOptions{4, 8, {"q_proj", "v_proj", "down_proj"}};
    job.optimizer.schedule.peak = 1e-2;
    return job;
  }
  static std::string AdapterOf(const RunEnd& end) {
    return std::filesystem::path(end.directory).parent_path() / "adapter";
  }
};

INSTANTIATE_TEST_SUITE_P(TrainRun, EveryAdaptedKind,
                         ::testing::Values(TrainKind::kSft, TrainKind::kRewardModel),
                         [](const auto& info) { return KindName(info.param); });

TEST_P(EveryAdaptedKind, NRanksEqualOneRankInFloat64) {
  const TrainJob job = Job(DType::kF64);
  const RunEnd one = world_.Run(job, {1, 1, -1, "one"});
  const RunEnd two = world_.Run(job, {2, 1, -1, "two"});
  ASSERT_TRUE(one.finished() && two.finished()) << one.outcomes[0].status();
  EXPECT_LE(Distance(one, two), 1e-9);
  for (int step = 1; step <= 12; ++step) EXPECT_NEAR(one.loss(step), two.loss(step), 1e-9);
}

TEST_P(EveryAdaptedKind, AStoppedAndResumedRunHasTheBitsOfOneThatNeverStopped) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const TrainJob job = Job(dtype);
    const std::string suffix = dtype == DType::kF32 ? "fp32" : "bf16";
    const RunEnd whole = world_.Run(job, {2, 1, -1, "whole" + suffix});
    ASSERT_TRUE(whole.finished()) << whole.outcomes[0].status();
    ASSERT_TRUE(world_.Run(job, {2, 1, 5, suffix}).outcomes[0].ok());
    const RunEnd resumed = world_.Run(job, {2, 2, -1, suffix});
    ASSERT_TRUE(resumed.finished()) << resumed.outcomes[0].status();
    EXPECT_EQ(resumed.metrics.count(1), 0) << "it started anew";
    EXPECT_TRUE(resumed.weights == whole.weights);
  }
}

TEST_P(EveryAdaptedKind, TheMergedModelDiffersFromItsBaseInTheTargetsAlone) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const TrainJob job = Job(dtype);
    const RunEnd end = world_.Run(job, {1, 1, -1, dtype == DType::kF32 ? "fp32" : "bf16"});
    ASSERT_TRUE(end.finished()) << end.outcomes[0].status();
    const auto base = ReadWeights(job.init_from), merged = ReadWeights(end.directory);
    for (const auto& [name, values] : merged) {
      const bool adapted = name.find("q_proj") != std::string::npos ||
                           name.find("v_proj") != std::string::npos ||
                           name.find("down_proj") != std::string::npos;
      if (base.count(name) == 0) continue;  // the score
      EXPECT_EQ(values != base.at(name), adapted) << name << ": also in bf16, to the last bit";
    }
    EXPECT_TRUE(std::filesystem::exists(AdapterOf(end) + "/manifest.json"));
    const auto file =
        checkpoint::SafetensorsFile::Open(AdapterOf(end) + "/adapter_model.safetensors");
    ASSERT_TRUE(file.ok()) << file.status();
    const size_t scores = GetParam() == TrainKind::kRewardModel ? 1 : 0;
    EXPECT_EQ((*file)->tensors().size(), 2 * 2 * 3 + scores);
    EXPECT_EQ(model::ReadModelCard(AdapterOf(end))->normalisation.has_value(), scores == 1);
  }
}

TEST_P(EveryAdaptedKind, TheyLearn) {
  TrainJob job = Job(DType::kBF16);
  job.loop.total_steps = 60;
  const RunEnd end = world_.Run(job, {});
  ASSERT_TRUE(end.finished()) << end.outcomes[0].status();
  EXPECT_LT(end.loss(60), 0.95 * end.loss(1));
}

TEST_P(EveryAdaptedKind, AnotherBaseOrOtherAdaptersAreRefusedOnResume) {
  const TrainJob job = Job(DType::kF32);
  ASSERT_TRUE(world_.Run(job, {1, 1, 5, "run"}).outcomes[0].ok());
  const auto refusal = [&](const TrainJob& other, uint64_t epoch) {
    const absl::Status status = world_.Run(other, {1, epoch, -1, "run"}).outcomes[0].status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_NE(status.message().find("the checkpoint's adapters are"), std::string::npos) << status;
  };
  TrainJob rank = job, whole = job, base = job;
  rank.lora->rank = 2;
  refusal(rank, 2);
  whole.lora.reset();
  refusal(whole, 3);
  TrainJob full = world_.Job(TrainKind::kSft, DType::kF32);
  base.init_from = world_.Run(full, {1, 1, -1, "base"}).directory;
  refusal(base, 4);
  EXPECT_TRUE(world_.Run(job, {1, 5, -1, "run"}).finished()) << "the first checkpoint still stands";
}

class TrainRunTest : public ::testing::Test {
 protected:
  // The step directories of a run, newest first.
  std::vector<std::string> Checkpoints(const std::string& name) {
    return *checkpoint::ListCheckpoints(world_.RunDirectory(name));
  }
  static void FlipByte(const std::string& directory) {
    const std::string path = directory + "/state-00000-of-00001.safetensors";
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-9, std::ios::end);
    const char byte = static_cast<char>(file.peek() ^ 1);
    file.put(byte);
  }
  TrainingWorld world_;
};

TEST_F(TrainRunTest, LearnsWhatTheDataSays) {
  TrainJob job = world_.Job(TrainKind::kSft, DType::kF32);
  job.loop.total_steps = 60;
  job.optimizer.schedule.peak = 1e-2;
  const RunEnd end = world_.Run(job, {});
  ASSERT_TRUE(end.finished()) << end.outcomes[0].status();
  EXPECT_LT(end.loss(60), 0.7 * end.loss(1));
  EXPECT_LT(end.metrics.at(60).at("eval_loss"), end.metrics.at(4).at("eval_loss"));
}

TEST_F(TrainRunTest, ADamagedCheckpointIsPassedOverForTheOneBefore) {
  const TrainJob job = world_.Job(TrainKind::kSft, DType::kF32);
  const RunEnd whole = world_.Run(job, {1, 1, -1, "whole"});
  const RunEnd first = world_.Run(job, {1, 1, 8, "run"});
  ASSERT_EQ(*first.outcomes[0], TrainOutcome::kStopped);
  const std::vector<std::string> checkpoints = Checkpoints("run");
  ASSERT_EQ(checkpoints.size(), 2);
  FlipByte(checkpoints[0]);
  const int64_t good_step = checkpoint::ReadManifest({checkpoints[1], ""})->step;
  const RunEnd second = world_.Run(job, {1, 2, -1, "run"});
  ASSERT_TRUE(second.finished()) << second.outcomes[0].status();
  EXPECT_TRUE(second.weights == whole.weights);
  EXPECT_EQ(second.metrics.begin()->first, good_step + 1);
}

TEST_F(TrainRunTest, WhenNoCheckpointIsGoodItSaysWhyAndDoesNotStartAnew) {
  const TrainJob job = world_.Job(TrainKind::kSft, DType::kF32);
  ASSERT_TRUE(world_.Run(job, {1, 1, 8, "run"}).outcomes[0].ok());
  for (const std::string& directory : Checkpoints("run")) FlipByte(directory);
  const RunEnd second = world_.Run(job, {1, 2, -1, "run"});
  EXPECT_TRUE(absl::IsNotFound(second.outcomes[0].status())) << second.outcomes[0].status();
  EXPECT_NE(second.outcomes[0].status().message().find("state-00000"), std::string::npos);
}

TEST_F(TrainRunTest, AFinishedRunIsExtendedWithItsOptimizer) {
  TrainJob job = world_.Job(TrainKind::kPretrain, DType::kF32);
  job.optimizer.schedule.kind = ScheduleKind::kConstant;
  job.optimizer.warmup_ratio = 0;
  TrainJob longer = job;
  longer.loop.total_steps = 20;
  const RunEnd whole = world_.Run(longer, {1, 1, -1, "whole"});
  ASSERT_TRUE(world_.Run(job, {1, 1, -1, "run"}).finished());
  const RunEnd extended = world_.Run(longer, {1, 2, -1, "run"});
  ASSERT_TRUE(extended.finished()) << extended.outcomes[0].status();
  EXPECT_EQ(extended.metrics.begin()->first, 13);
  EXPECT_TRUE(extended.weights == whole.weights);
}

TEST_F(TrainRunTest, AChangedDataSetIsRefusedOnResume) {
  const TrainJob job = world_.Job(TrainKind::kPretrain, DType::kF32);
  ASSERT_TRUE(world_.Run(job, {1, 1, 5, "run"}).outcomes[0].ok());
  world_.Write("texts.jsonl", "{\"text\": \"the cat sat on the mat and saw a good film\"}\n");
  const RunEnd second = world_.Run(job, {1, 2, -1, "run"});
  EXPECT_TRUE(absl::IsFailedPrecondition(second.outcomes[0].status()))
      << second.outcomes[0].status();
}

TEST_F(TrainRunTest, AnotherNumericsIdIsRefusedUnlessItIsAllowed) {
  TrainJob job = world_.Job(TrainKind::kPretrain, DType::kF32);
  ASSERT_TRUE(world_.Run(job, {1, 1, 5, "run"}).outcomes[0].ok());
  job.dtype = DType::kBF16;
  const RunEnd refused = world_.Run(job, {1, 2, -1, "run"});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.outcomes[0].status()));
  EXPECT_NE(refused.outcomes[0].status().message().find("allow_numerics_change"),
            std::string::npos);
  job.allow_numerics_change = true;
  EXPECT_TRUE(world_.Run(job, {1, 3, -1, "run"}).finished());
}

TEST_F(TrainRunTest, ALossThatIsNotFiniteStopsWithRankStepAndCause) {
  TrainJob job = world_.Job(TrainKind::kSft, DType::kF32);
  job.optimizer.schedule.peak = 1e30;
  job.optimizer.warmup_ratio = 0;
  const RunEnd end = world_.Run(job, {2, 1, -1, "run"});
  for (int rank : {0, 1}) {
    EXPECT_EQ(end.reasons[rank].end_class, EndClass::kNan) << end.reasons[rank].message;
    EXPECT_NE(end.reasons[rank].message.find("step "), std::string::npos);
    EXPECT_NE(end.reasons[rank].message.find("rank "), std::string::npos);
    EXPECT_EQ(end.reasons[rank].phase, "train");
  }
  EXPECT_TRUE(end.weights.empty());
}

TEST_F(TrainRunTest, KeepsTheLastCheckpointsOnly) {
  TrainJob job = world_.Job(TrainKind::kPretrain, DType::kF32);
  job.keep_checkpoints = 2;
  ASSERT_TRUE(world_.Run(job, {2, 1, -1, "run"}).finished());
  const std::vector<std::string> checkpoints = Checkpoints("run");
  ASSERT_EQ(checkpoints.size(), 2);
  EXPECT_NE(checkpoints[0].find("step-00000012"), std::string::npos);
}

TEST_F(TrainRunTest, ARewardModelIsStoredWithItsNormalisationAndTokenizer) {
  TrainJob job = world_.Job(TrainKind::kRewardModel, DType::kF32);
  const RunEnd end = world_.Run(job, {2, 1, -1, "run"});
  ASSERT_TRUE(end.finished()) << end.outcomes[0].status();
  const auto card = model::ReadModelCard(end.directory);
  ASSERT_TRUE(card.ok()) << card.status();
  ASSERT_TRUE(card->normalisation.has_value());
  EXPECT_EQ(card->normalisation->samples, 16);
  EXPECT_GT(card->normalisation->deviation, 0);
  EXPECT_EQ(card->tokenizer_sha256, OpenTokenizer(job.tokenizer_directory)->sha256);
  EXPECT_EQ(card->training_manifest_sha256.size(), 64);

  job.init_from = end.directory;
  EXPECT_TRUE(world_.Run(job, {1, 1, -1, "again"}).finished()) << "a reward model is trained on";
}

TEST_F(TrainRunTest, NormalisationIsFittedOnAnswersThatWereGenerated) {
  TrainJob job = world_.Job(TrainKind::kRewardModel, DType::kF32);
  data::SourceSpec reference;
  reference.name = "answers";
  reference.paths = {world_.Write(
      "answers.jsonl",
      R"({"prompt": "the cat", "answers": [{"text": " sat", "finish_reason": "stop"},)"
      R"( {"text": " saw a mat", "finish_reason": "length"}]})"
      "\n"
      R"({"prompt": "the film", "answers": [{"text": " was good", "finish_reason": "stop"}]})"
      "\n")};
  job.reward.reference = reference;
  const RunEnd finished = world_.Run(job, {2, 1, -1, "finished"});
  ASSERT_TRUE(finished.finished()) << finished.outcomes[0].status();
  EXPECT_EQ(model::ReadModelCard(finished.directory)->normalisation->samples, 2);
  job.reward.reference_finished_only = false;
  const RunEnd all = world_.Run(job, {1, 1, -1, "all"});
  ASSERT_TRUE(all.finished()) << all.outcomes[0].status();
  EXPECT_EQ(model::ReadModelCard(all.directory)->normalisation->samples, 3);
}

}  // namespace
}  // namespace trainyard::worker
