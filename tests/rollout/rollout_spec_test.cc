#include "rollout/rollout_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/process.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::rollout {
namespace {

using ::testing::HasSubstr;

class RolloutSpecTest : public ::testing::Test {
 protected:
  RolloutSpecTest() {
    for (const char* name : {"a", "b", "tokenizer"}) {
      std::filesystem::create_directory(directory_.File(name));
    }
    assignment_.roots = Roots({{"data", directory_.path()}});
    assignment_.artifacts["sft/model"].uri = "root://data/a";
  }

  absl::StatusOr<RolloutJob> Parse(const v1::JobSpec& spec) {
    assignment_.job_spec = spec.SerializeAsString();
    return ParseRolloutJob(assignment_);
  }

  const trainyard::testing::TempDir directory_;
  task::Assignment assignment_;
};

TEST_F(RolloutSpecTest, PpoServesItsPolicyWithTheRunsTokenizer) {
  v1::JobSpec spec;
  spec.mutable_ppo()->mutable_policy()->set_artifact("sft/model");
  spec.mutable_ppo()->mutable_data()->mutable_tokenizer()->set_uri("root://data/tokenizer");
  const auto job = Parse(spec);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->model_directory, directory_.File("a"));
  EXPECT_EQ(job->tokenizer_directory, directory_.File("tokenizer"));
}

TEST_F(RolloutSpecTest, AnEvalTaskServesTheModelOfItsIndex) {
  v1::JobSpec spec;
  for (const char* name : {"a", "b"}) {
    spec.mutable_eval()->add_models()->mutable_model()->set_uri(std::string("root://data/") + name);
  }
  assignment_.index = 1;
  EXPECT_EQ(Parse(spec)->model_directory, directory_.File("b"));
  assignment_.index = 2;
  EXPECT_THAT(std::string(Parse(spec).status().message()), HasSubstr("eval.models has 2"));
}

TEST_F(RolloutSpecTest, OnlyAJobInBfloat16ComputesItsProductsInIt) {
  v1::JobSpec spec;
  spec.mutable_ppo()->mutable_policy()->set_artifact("sft/model");
  EXPECT_FALSE(Parse(spec)->bf16);
  spec.mutable_ppo()->set_dtype(v1::FLOAT32);
  EXPECT_FALSE(Parse(spec)->bf16);
  spec.mutable_ppo()->set_dtype(v1::BFLOAT16);
  EXPECT_TRUE(Parse(spec)->bf16);
  spec.mutable_generate()->mutable_model()->set_artifact("sft/model");
  spec.mutable_generate()->set_dtype(v1::BFLOAT16);
  EXPECT_TRUE(Parse(spec)->bf16);
}

TEST_F(RolloutSpecTest, WhatIsMissingIsNamed) {
  v1::JobSpec spec;
  spec.mutable_generate()->mutable_model()->set_artifact("other/model");
  EXPECT_THAT(std::string(Parse(spec).status().message()), HasSubstr("other/model"));
  spec.mutable_generate()->mutable_model()->set_uri("root://data/missing");
  EXPECT_EQ(Parse(spec).status().code(), absl::StatusCode::kNotFound);
  spec.mutable_sft();
  EXPECT_THAT(std::string(Parse(spec).status().message()), HasSubstr("no rollout tasks"));
}

}  // namespace
}  // namespace trainyard::rollout
