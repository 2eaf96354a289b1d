#include "reward_service/reward_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/checksum.h"
#include "tests/support/process.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::reward_service {
namespace {

using ::testing::HasSubstr;

class RewardSpecTest : public ::testing::Test {
 protected:
  RewardSpecTest() {
    for (const char* name : {"policy", "rm"}) {
      std::filesystem::create_directory(directory_.File(name));
    }
    std::ofstream(directory_.File("policy/tokenizer.json")) << "{}";
    assignment_.roots = Roots({{"data", directory_.path()}});
    spec_.mutable_ppo()->mutable_policy()->set_uri("root://data/policy");
  }

  absl::StatusOr<RewardJob> Parse() {
    assignment_.job_spec = spec_.SerializeAsString();
    return ParseRewardJob(assignment_);
  }

  v1::RewardComponent* Add(const std::string& name) {
    v1::RewardComponent* component = spec_.mutable_ppo()->mutable_reward()->add_components();
    component->set_name(name);
    return component;
  }

  const trainyard::testing::TempDir directory_;
  task::Assignment assignment_;
  v1::JobSpec spec_;
};

TEST_F(RewardSpecTest, ComponentsBecomeOptionsWithTheirDefaults) {
  Add("rm")->mutable_learned()->mutable_model()->set_uri("root://data/rm");
  Add("regex")->mutable_regex()->set_pattern("x");
  Add("honest")->mutable_abstention()->add_patterns("no idea");
  const auto job = Parse();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->tokenizer_sha256, Sha256Hex("{}"));
  const auto& learned = std::get<LearnedScorerOptions>(job->options.components[0].scorer);
  EXPECT_EQ(learned.directory, directory_.File("rm"));
  EXPECT_TRUE(learned.normalize);
  EXPECT_EQ(learned.tokenizer_sha256, job->tokenizer_sha256);
  EXPECT_EQ(job->options.components[1].weight, 1);
  EXPECT_EQ(std::get<RegexOptions>(job->options.components[1].scorer).value, 1);
  EXPECT_EQ(std::get<AbstentionOptions>(job->options.components[2].scorer).correct, 1);
}

TEST_F(RewardSpecTest, EveryFormOfTokenizerHasTheHashThatModelsAreBoundTo) {
  Add("regex")->mutable_regex()->set_pattern("x");
  const auto hash = [this] {
    const auto job = Parse();
    EXPECT_TRUE(job.ok()) << job.status();
    return job.ok() ? job->tokenizer_sha256 : "none";
  };
  std::filesystem::remove(directory_.File("policy/tokenizer.json"));
  EXPECT_EQ(hash(), "");
  std::ofstream(directory_.File("policy/tokenizer.model")) << "sentences";
  EXPECT_EQ(hash(), Sha256Hex("sentences"));
  std::ofstream(directory_.File("policy/vocab.json")) << "{}";
  std::ofstream(directory_.File("policy/merges.txt")) << "";
  EXPECT_EQ(hash(), Sha256Hex("{}"));
  // The job's own goes before the policy's.
  std::filesystem::create_directory(directory_.File("tokenizer"));
  std::ofstream(directory_.File("tokenizer/tokenizer.json")) << "[]";
  spec_.mutable_ppo()->mutable_data()->mutable_tokenizer()->set_uri("root://data/tokenizer");
  EXPECT_EQ(hash(), Sha256Hex("[]"));
}

TEST_F(RewardSpecTest, WhatIsMissingIsNamedWithItsComponent) {
  Add("nothing");
  EXPECT_THAT(std::string(Parse().status().message()),
              HasSubstr("component \"nothing\": no scorer"));
  spec_.mutable_ppo()->mutable_reward()->mutable_components(0)->mutable_learned()->mutable_model();
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("learned.model is missing"));
  spec_.mutable_sft();
  EXPECT_THAT(std::string(Parse().status().message()), HasSubstr("no reward tasks"));
}

TEST_F(RewardSpecTest, AFileNamesPathsAndWrongFieldsAreRefused) {
  std::ofstream(directory_.File("reward.json"))
      << R"({"components": [{"name": "rm", "learned": {"model": {"uri": "/some/rm"}}}]})";
  const auto job = ReadRewardFile(directory_.File("reward.json"), directory_.File("policy"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(std::get<LearnedScorerOptions>(job->options.components[0].scorer).directory,
            "/some/rm");
  std::ofstream(directory_.File("reward.json")) << R"({"component": []})";
  EXPECT_THAT(std::string(ReadRewardFile(directory_.File("reward.json"), "").status().message()),
              HasSubstr("component"));
}

}  // namespace
}  // namespace trainyard::reward_service
