#include "worker/worker_spec.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "tests/support/process.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::worker {
namespace {

using ::testing::HasSubstr;

constexpr char kCommon[] = R"(
  data { tokenizer { uri: "root://data/tokenizer.json" }
         train { file { uri: "root://data/rows.jsonl" } }
         chat_template { name: "chatml" } max_length: 32 max_bad_rows: 3 }
  optimizer { lr: 1e-3 } loop { steps: 4 global_batch: 2 })";

class WorkerSpecTest : public ::testing::Test {
 protected:
  WorkerSpecTest() {
    assignment_.roots = Roots({{"data", dir_.path()}});
    for (const char* name : {"tokenizer.json", "rows.jsonl", "model"}) {
      TY_CHECK(WriteFileAtomically(dir_.File(name), "{}\n").ok());
    }
  }
  absl::StatusOr<WorkerJob> Job(const std::string& kind, const std::string& more) {
    v1::JobSpec spec;
    TY_CHECK(google::protobuf::TextFormat::ParseFromString(
        absl::StrCat("seed: 7 ", kind, " { ", more, " }"), &spec));
    assignment_.job_spec = spec.SerializeAsString();
    return ParseWorkerJob(assignment_);
  }
  TrainJob Train(const std::string& kind, const std::string& more) {
    auto job = Job(kind, absl::StrCat(kCommon, more));
    TY_CHECK(job.ok());
    return std::get<TrainJob>(*std::move(job));
  }

  testing::TempDir dir_;
  task::Assignment assignment_;
};

constexpr char kInit[] = R"( init_from { uri: "root://data/model" })";
constexpr char kModel[] =
    R"( model { family: "llama" layers: 1 hidden_size: 8 heads: 2 context: 32 })";

TEST_F(WorkerSpecTest, AdaptersAreReadAndTheirLimitsHeld) {
  EXPECT_FALSE(Train("sft", kInit).lora.has_value());
  for (const char* kind : {"sft", "reward_model"}) {
    const TrainJob job =
        Train(kind, absl::StrCat(kInit, R"( lora { rank: 4 alpha: 6 targets: "q_proj" })"));
    ASSERT_TRUE(job.lora.has_value()) << kind;
    EXPECT_EQ(job.lora->rank, 4);
    EXPECT_EQ(job.lora->alpha, 6);
    EXPECT_EQ(job.lora->targets, std::vector<std::string>{"q_proj"});
  }
  const auto refusal = [&](const char* lora) {
    return std::string(Job("sft", absl::StrCat(kCommon, kInit, lora)).status().message());
  };
  EXPECT_THAT(refusal(" lora { }"), HasSubstr("lora.rank is 0"));
  EXPECT_THAT(refusal(" lora { rank: 2 dropout: 0.1 }"), HasSubstr("there is no dropout"));
}

TEST_F(WorkerSpecTest, EachKindIsReadAsItsOwn) {
  EXPECT_EQ(Train("pretrain", kModel).kind, TrainKind::kPretrain);
  EXPECT_EQ(Train("sft", kInit).train.objective, data::Objective::kSft);
  const TrainJob reward = Train("reward_model", absl::StrCat(kInit, " group_size: 4 min_gap: 0.5"));
  EXPECT_EQ(reward.train.objective, data::Objective::kRewardModel);
  EXPECT_EQ(reward.batch.group_size, 4);
  EXPECT_EQ(reward.reward.min_gap, 0.5);
  EXPECT_TRUE(std::holds_alternative<LearnerJob>(*Job("ppo", "")));
}

TEST_F(WorkerSpecTest, TheSeedOfTheDataIsTheJobsWhenItHasNone) {
  EXPECT_EQ(Train("sft", kInit).train.seed, 7);
  const std::string seeded = absl::StrReplaceAll(kCommon, {{"data {", "data { seed: 9"}});
  const auto job = Job("sft", absl::StrCat(seeded, kInit));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(std::get<TrainJob>(*job).train.seed, 9);
  EXPECT_EQ(std::get<TrainJob>(*job).seed, 7);
}

TEST_F(WorkerSpecTest, WhatHoldsForAllSourcesReachesEach) {
  const TrainJob job = Train("sft", kInit);
  ASSERT_EQ(job.train.sources.size(), 1);
  EXPECT_EQ(job.train.sources[0].max_bad_rows, 3);
  EXPECT_EQ(job.tokenizer_directory, dir_.path());
  EXPECT_EQ(job.keep_checkpoints, 2);
  EXPECT_EQ(job.passes, 1);
  EXPECT_TRUE(job.validation.sources.empty());
  EXPECT_EQ(job.validation.max_tokens, 32) << "validation is read as training is";
}

TEST_F(WorkerSpecTest, WhatIsMissingOrTooMuchIsNamed) {
  const auto message = [&](const std::string& kind, const std::string& more) {
    const absl::Status status = Job(kind, absl::StrCat(kCommon, more)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(message("pretrain", ""), HasSubstr("exactly one of model and init_from"));
  EXPECT_THAT(message("pretrain", absl::StrCat(kModel, kInit)), HasSubstr("exactly one"));
  EXPECT_THAT(message("sft", ""), HasSubstr("sft.init_from is missing"));
  EXPECT_THAT(message("reward_model", ""), HasSubstr("reward_model.init_from is missing"));
  EXPECT_THAT(std::string(Job("sft", "").status().message()), HasSubstr("data.train is empty"));
  EXPECT_THAT(std::string(Job("fake", "").status().message()),
              HasSubstr("not for trainyard-worker"));
}

}  // namespace
}  // namespace trainyard::worker
