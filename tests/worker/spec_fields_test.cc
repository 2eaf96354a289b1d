#include "worker/spec_fields.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/status.h"
#include "tests/support/process.h"

namespace trainyard::worker {
namespace {

using ::testing::HasSubstr;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  TY_CHECK(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

class SourcesTest : public ::testing::Test {
 protected:
  SourcesTest() { assignment_.roots = Roots({{"data", dir_.path()}}); }
  void Write(const std::string& name) {
    const std::string path = dir_.File(name);
    TY_CHECK(MakeDirectories(path.substr(0, path.rfind('/'))).ok());
    TY_CHECK(WriteFileAtomically(path, "{}\n").ok());
  }
  absl::StatusOr<std::vector<data::SourceSpec>> Sources(const std::string& text) {
    return ParseSources(Parse<v1::DataSpec>(text).train(), assignment_);
  }

  testing::TempDir dir_;
  task::Assignment assignment_;
};

TEST_F(SourcesTest, OnceOneSourceHasAWeightTheOthersWeighOne) {
  Write("a.jsonl");
  Write("b.jsonl");
  auto parsed = Sources(R"(train { file { uri: "root://data/a.jsonl" } weight: 3 }
                           train { file { uri: "root://data/b.jsonl" } })");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)[0].share.weight, 3);
  EXPECT_EQ((*parsed)[1].share.weight, 1);
  parsed = Sources(R"(train { file { uri: "root://data/a.jsonl" } }
                      train { file { uri: "root://data/b.jsonl" } })");
  EXPECT_EQ((*parsed)[0].share.weight, 0) << "none has one: every sample once";
}

TEST_F(SourcesTest, ATokenBudgetTakesThePlaceOfAWeight) {
  Write("a.jsonl");
  Write("b.jsonl");
  const auto parsed =
      Sources(R"(train { file { uri: "root://data/a.jsonl" } weight: 3 token_budget: 100 }
                 train { file { uri: "root://data/b.jsonl" } weight: 2 })");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)[0].share.token_budget, 100);
  EXPECT_EQ((*parsed)[0].share.weight, 0);
  EXPECT_EQ((*parsed)[1].share.weight, 2);
}

TEST_F(SourcesTest, AnArtifactIsItsRowsOrItsShards) {
  Write("rows/manifest.json");
  Write("rows/rows.jsonl");
  Write("shards/manifest.json");
  auto parsed = Sources(R"(train { file { uri: "root://data/rows" } }
                           train { file { uri: "root://data/shards" } })");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)[0].format, data::SourceFormat::kJsonl);
  EXPECT_EQ((*parsed)[0].paths[0], dir_.File("rows/rows.jsonl"));
  EXPECT_EQ((*parsed)[1].format, data::SourceFormat::kTokenShards);
  EXPECT_EQ((*parsed)[1].paths[0], dir_.File("shards"));
}

TEST_F(SourcesTest, ADirectoryThatWasNeverCommittedIsRefused) {
  Write("torn/rows.jsonl");
  const absl::Status torn = Sources(R"(train { file { uri: "root://data/torn" } })").status();
  EXPECT_TRUE(absl::IsNotFound(torn));
  EXPECT_THAT(std::string(torn.message()), HasSubstr("without manifest.json"));
}

TEST(SpecFieldsTest, AnOptimizerHasTheDefaultsOfItsSpec) {
  const auto job = ParseOptimizer(Parse<v1::OptimizerSpec>("lr: 0.5"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->schedule.peak, 0.5);
  EXPECT_EQ(job->schedule.kind, ScheduleKind::kCosine);
  EXPECT_EQ(job->adamw.beta1, 0.9);
  EXPECT_EQ(job->adamw.beta2, 0.95);
  EXPECT_EQ(job->clip_norm, 1);
  EXPECT_EQ(job->adamw.weight_decay, 0) << "0 is a value here, not absence";
}

TEST(SpecFieldsTest, AGroupKeepsWhatItDoesNotSay) {
  const auto job = ParseOptimizer(Parse<v1::OptimizerSpec>(
      R"(lr: 1 groups { pattern: "norm" weight_decay: 0 }
               groups { pattern: "head" lr_scale: 0 })"));
  ASSERT_TRUE(job.ok()) << job.status();
  ASSERT_EQ(job->adamw.groups.size(), 2);
  EXPECT_EQ(job->adamw.groups[0].weight_decay, 0);
  EXPECT_FALSE(job->adamw.groups[0].lr_scale.has_value());
  EXPECT_EQ(job->adamw.groups[1].lr_scale, 0) << "a frozen group";
}

TEST(SpecFieldsTest, WhatAnOptimizerMayNotSayIsNamed) {
  for (const auto& [text, field] : std::vector<std::pair<std::string, std::string>>{
           {"lr: 1 warmup_steps: 3 warmup_ratio: 0.1", "optimizer.warmup_steps"},
           {"lr: 1 warmup_ratio: 1.5", "optimizer.warmup_ratio is 1.5"},
           {"lr: 1 warmup_ratio: nan", "optimizer.warmup_ratio is nan"},
           {R"(lr: 1 schedule: "wds")", "wds"}}) {
    const absl::Status status = ParseOptimizer(Parse<v1::OptimizerSpec>(text)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
}

TEST(SpecFieldsTest, AModelsWidthsFollowFromItsHeads) {
  const auto model = ParseModel(Parse<v1::ModelSpec>(
      R"(family: "llama" layers: 2 hidden_size: 64 heads: 4 context: 128)"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config.head_width, 16);
  EXPECT_EQ(model->config.kv_heads, 4);
  EXPECT_EQ(model->config.ffn_width, 256);
  EXPECT_TRUE(model->config.tied_head);
  EXPECT_EQ(model->init_std, 0.02);
  EXPECT_TRUE(ParseModel(Parse<v1::ModelSpec>(R"(family: "llama" hidden_size: 64)")).ok())
      << "no heads is for the model to refuse, not a division by zero";
}

TEST(SpecFieldsTest, ALoopNeedsABatch) {
  EXPECT_TRUE(absl::IsInvalidArgument(ParseLoop(Parse<v1::LoopSpec>("steps: 5")).status()));
  const auto loop = ParseLoop(Parse<v1::LoopSpec>("steps: 5 global_batch: 2"));
  ASSERT_TRUE(loop.ok()) << loop.status();
  EXPECT_EQ(loop->total_steps, 5);
  EXPECT_EQ(loop->log_every, 1);
  EXPECT_EQ(loop->checkpoint_every, absl::Minutes(10));
}

TEST(SpecFieldsTest, ANumberTypeThatIsNotTrainedInIsRefused) {
  EXPECT_EQ(*ParseDtype(v1::DTYPE_UNSPECIFIED), checkpoint::DType::kF32);
  EXPECT_EQ(*ParseDtype(v1::BFLOAT16), checkpoint::DType::kBF16);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseDtype(static_cast<v1::Dtype>(99)).status()));
}

}  // namespace
}  // namespace trainyard::worker
