#include "worker/ppo_spec.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"
#include "tokenizer/tokenizer_file.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PpoSpecTest : public ::testing::Test {
 protected:
  PpoSpecTest() {
    assignment_.roots = Roots({{"data", dir_.path()}});
    for (const char* name : {"policy", "reward", "critic"}) {
      std::filesystem::create_directories(dir_.File(name));
    }
    const auto tokenizer = testing::ByteTokenizer({"<|im_start|>", "<|im_end|>", "<stop>"});
    TY_CHECK(tokenizer::SaveTokenizer(*tokenizer, {}, dir_.path()).ok());
  }
  absl::StatusOr<LearnerPlan> Plan(const std::string& more) {
    v1::JobSpec spec;
    TY_CHECK(google::protobuf::TextFormat::ParseFromString(
        absl::StrCat(R"(seed: 7 ppo { policy { uri: "root://data/policy" } iterations: 10
                        prompts_per_iteration: 6
                        data { tokenizer { uri: "root://data/tokenizer.json" }
                               chat_template { name: "chatml" } } )",
                     more, " }"),
        &spec));
    assignment_.job_spec = spec.SerializeAsString();
    return ParseLearnerPlan(assignment_);
  }

  testing::TempDir dir_;
  task::Assignment assignment_;
};

TEST_F(PpoSpecTest, WhatIsLeftOutHasTheDefaultOfTheProto) {
  const auto plan = Plan("");
  ASSERT_TRUE(plan.ok()) << plan.status();
  const LearnerOptions& options = plan->options;
  EXPECT_EQ(options.loss.clip_ratio, 0.2);
  EXPECT_EQ(options.loss.dual_clip, 3);
  EXPECT_EQ(options.loss.value_clip, 0.2);
  EXPECT_EQ(options.targets.gae.gamma, 1);
  EXPECT_EQ(options.targets.gae.lambda, 0.95);
  EXPECT_EQ(options.targets.beta, 0.02);
  EXPECT_EQ(options.targets.reward.clip, 10);
  EXPECT_TRUE(options.targets.whiten_advantages);
  EXPECT_EQ(options.micro_batch_tokens, 16384);
  EXPECT_EQ(options.policy.temperature, 1);
  EXPECT_EQ(options.seed, 7);
  EXPECT_EQ(plan->models.critic, "") << "the policy's trunk with a new head";
}

TEST_F(PpoSpecTest, ZeroIsOffWhereTheProtoSaysSo) {
  const auto plan = Plan("dual_clip: 0 value_clip: 0 gamma: 0 lambda: 0 beta: 0");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->options.loss.dual_clip, 0);
  EXPECT_EQ(plan->options.loss.value_clip, 0);
  EXPECT_EQ(plan->options.targets.gae.gamma, 0);
  EXPECT_EQ(plan->options.targets.gae.lambda, 0);
  EXPECT_EQ(plan->options.targets.beta, 0);
}

TEST_F(PpoSpecTest, SchedulesCountTheOptimizerStepsOfTheWholeRun) {
  // 6 prompts x 3 answers = 18 samples, in minibatches of 8: 3 a pass, the last one smaller.
  const auto plan = Plan("sampling { n: 3 } minibatch: 8 passes: 2");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->options.actor.schedule.total_steps, 10 * 2 * 3);
  EXPECT_EQ(plan->options.critic.schedule.total_steps, 60);
  EXPECT_EQ(plan->options.actor.schedule.warmup_steps, 2) << "0.03 of 60, rounded up";
}

TEST_F(PpoSpecTest, ThePolicyIsDefinedAsTheControllerDefinesIt) {
  const auto plan = Plan(R"(sampling { temperature: 0.5 min_new_tokens: 3 forbidden_tokens: "x"
                                       stop_tokens: "<stop>" })");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->options.policy.temperature, 0.5);
  EXPECT_EQ(plan->options.policy.min_new_tokens, 3);
  EXPECT_THAT(plan->options.policy.forbidden_ids, ElementsAre('x'));
  EXPECT_THAT(plan->options.policy.end_ids, ElementsAre(257, 258));
}

TEST_F(PpoSpecTest, TheCriticIsTheGivenOneElseTheFirstLearnedReward) {
  constexpr char kReward[] =
      R"(reward { components { name: "length" length { max_tokens: 5 } }
                  components { name: "rm" learned { model { uri: "root://data/reward" } } } })";
  EXPECT_EQ(Plan(kReward)->models.critic, dir_.File("reward"));
  EXPECT_EQ(Plan(absl::StrCat(kReward, R"( critic { uri: "root://data/critic" })"))->models.critic,
            dir_.File("critic"));
}

TEST_F(PpoSpecTest, AdaptersAreReadForPolicyAndCritic) {
  EXPECT_FALSE(Plan("")->options.lora.has_value());
  const auto plan = Plan(R"(lora { rank: 3 targets: "all-linear" })");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->options.lora->rank, 3);
  EXPECT_THAT(plan->options.lora->targets, ElementsAre("all-linear"));
}

TEST_F(PpoSpecTest, WhatCannotBeIsNamed) {
  for (const auto& [more, words] : std::vector<std::pair<std::string, std::string>>{
           {R"(kl_loss: "k1")", "its expected gradient is zero"},
           {R"(kl_loss: "k9")", "must be k2 or k3"},
           {R"(no_eos: "zero")", "must be constant, penalty or mask"},
           {"ema_decay: 0.9", "ppo.ema_decay"},
           {"ptx_weight: 0.1", "ppo.ptx_weight"},
           {"lora { rank: 2 dropout: 0.5 }", "there is no dropout"},
           {"sampling { frequency_penalty: 1 }", "ppo.sampling.frequency_penalty is set"},
           {R"(sampling { forbidden_tokens: "two" })", "is 3 tokens of this tokenizer"}}) {
    const absl::Status status = Plan(more).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << more;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
}

}  // namespace
}  // namespace trainyard::worker
