#include "ppo/spec.h"

#include <google/protobuf/text_format.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"
#include "tokenizer/tokenizer_file.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::ppo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kShort[] = "max_new_tokens: 8";

class SpecTest : public ::testing::Test {
 protected:
  SpecTest() {
    assignment_.roots = Roots({{"data", dir_.path()}});
    assignment_.run_uri = "root://data/run";
    Write("policy/config.json", R"({"max_position_embeddings": 64})");
    Write("train.jsonl", R"({"prompt": "a"})" "\n" R"({"prompt": "bb"})" "\n");
    Write("validation.jsonl", R"({"prompt": "c"})" "\n");
    const auto tokenizer =
        trainyard::testing::ByteTokenizer({"<|im_start|>", "<|im_end|>", "<stop>"});
    TY_CHECK(tokenizer::SaveTokenizer(*tokenizer, {}, dir_.path()).ok());
  }
  void Write(const std::string& name, const std::string& text) {
    const std::string path = dir_.File(name);
    TY_CHECK(MakeDirectories(path.substr(0, path.rfind('/'))).ok());
    TY_CHECK(WriteFileAtomically(path, text).ok());
  }
  absl::StatusOr<PpoJob> Load(const std::string& more, const std::string& sampling = kShort) {
    v1::JobSpec spec;
    TY_CHECK(google::protobuf::TextFormat::ParseFromString(
        absl::StrCat(R"(seed: 7 roles { name: "learner" count: 2 }
                        ppo { policy { uri: "root://data/policy" } iterations: 3
                              data { tokenizer { uri: "root://data/tokenizer.json" }
                                     train { file { uri: "root://data/train.jsonl" } }
                                     validation { file { uri: "root://data/validation.jsonl" } }
                                     chat_template { name: "chatml" } }
                              sampling { )",
                     sampling, " } ", more, " }"),
        &spec));
    assignment_.job_spec = spec.SerializeAsString();
    return LoadPpoJob(assignment_);
  }
  std::string Refusal(const std::string& more, const std::string& sampling = kShort) {
    const absl::Status status = Load(more, sampling).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  trainyard::testing::TempDir dir_;
  task::Assignment assignment_;
};

TEST_F(SpecTest, WhatIsLeftOutHasTheDefaultOfTheProto) {
  const auto job = Load("");
  ASSERT_TRUE(job.ok()) << job.status();
  const ControllerOptions& options = job->options;
  EXPECT_EQ(options.prompts_per_iteration, 512);
  EXPECT_EQ(options.samples_per_prompt, 1);
  EXPECT_EQ(options.minibatch, 64);
  EXPECT_EQ(options.passes, 1);
  EXPECT_EQ(options.beta, 0.02);
  EXPECT_FALSE(options.adaptive_beta.has_value());
  EXPECT_EQ(options.checkpoint_every, 1);
  EXPECT_EQ(options.keep_checkpoints, 2);
  EXPECT_EQ(options.max_failed_fraction, 0.1);
  EXPECT_EQ(options.stall_limit, absl::Minutes(10));
  EXPECT_EQ(options.sampling.temperature, 1);
  EXPECT_EQ(options.sampling.top_p, 1);
  EXPECT_EQ(options.learners, 2);
  EXPECT_EQ(options.seed, 7);
  EXPECT_EQ(job->train->count(), 2);
}

TEST_F(SpecTest, ValidationPromptsAreReadOnlyWhenTheyAreUsed) {
  EXPECT_EQ(Load("")->validation, nullptr);
  const auto job = Load("eval_every: 2");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->options.eval_every, 2);
  ASSERT_NE(job->validation, nullptr);
  EXPECT_EQ(job->validation->count(), 1);
}

TEST_F(SpecTest, NoCallMayWaitLongerThanAStallIsLookedFor) {
  const auto job = Load("stall_seconds: 8");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->options.timeouts.generate, absl::Seconds(4));
  EXPECT_EQ(job->options.timeouts.score, absl::Seconds(4));
}

TEST_F(SpecTest, AnswersEndWithTheTurnAndWithWhatTheJobNames) {
  const auto job = Load(
      "", R"(max_new_tokens: 8 stop_tokens: "<stop>" forbidden_tokens: "x" stop: "\n")");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(job->options.sampling.end_ids, ElementsAre(257, 258));
  EXPECT_THAT(job->options.sampling.forbidden_ids, ElementsAre('x'));
  EXPECT_THAT(job->options.sampling.stop_strings, ElementsAre("\n"));
}

TEST_F(SpecTest, WhatAPolicyCanNotBeIsRefused) {
  EXPECT_THAT(Refusal("", "max_new_tokens: 8 temperature: 0"), HasSubstr("must be > 0 in PPO"));
  EXPECT_THAT(Refusal("", "max_new_tokens: 8 temperature: nan"), HasSubstr("must be > 0 in PPO"));
  EXPECT_THAT(Refusal("", R"(max_new_tokens: 8 forbidden_tokens: "ab")"),
              HasSubstr("which is 2 tokens"));
  EXPECT_THAT(Refusal("", "max_new_tokens: 8 presence_penalty: 0.5"),
              HasSubstr("ppo.sampling.presence_penalty is set"));
  EXPECT_THAT(Refusal("kl_target: -1"), HasSubstr("ppo.kl_target must be >= 0"));
}

TEST_F(SpecTest, AnAnswerThatFillsTheContextLeavesNoRoomForAPrompt) {
  EXPECT_THAT(Refusal("", "max_new_tokens: 64"), HasSubstr("leaves no room for a prompt"));
}

TEST_F(SpecTest, AMissingFileIsNamedWithItsField) {
  std::filesystem::remove(dir_.File("train.jsonl"));
  const absl::Status status = Load("").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("ppo.data: root://data/train.jsonl"));
}

}  // namespace
}  // namespace trainyard::ppo
