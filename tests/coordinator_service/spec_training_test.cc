// coordinator/spec_training.cc

#include "tests/coordinator_service/spec_rules.h"

namespace trainyard::coordinator {
namespace {

TEST(SpecTrainingTest, RulesOfTheKindsThatATrainerRuns) {
  ExpectHeld({
      {kPretrain, {"pretrain.model.heads=5"}, "model.heads is 5 and does not divide"},
      {kPretrain, {"pretrain.model.kv_heads=3"}, "model.kv_heads is 3 and does not divide"},
      {kPretrain, {"pretrain.model.family=lama"}, "did you mean llama?"},
      {kPretrain, {"pretrain.model.dropout=0.1"}, "there is no dropout"},
      {kPretrain, {"pretrain.init_from=root://data/m"}, "and init_from exclude each other"},
      {kPretrain, {"pretrain.loop.passes=2"}, "passes and steps exclude each other"},
      {kPretrain, {"pretrain.data.tokenizer={}"}, "pretrain.data.tokenizer is missing"},
      {kPretrain, {"pretrain.data.train=[]"}, "pretrain.data.train is empty"},
      {kPretrain,
       {"pretrain.data.train.0.file=my/data/x.txt"},
       "pretrain.data.train[0].file is \"my/data/x.txt\", must be root://NAME/path, or"},
      {kSft,
       {"sft.init_from=a/b/c/d"},
       "sft.init_from is \"a/b/c/d\", must be root://NAME/path, or"},
      {kSft, {"sft.data.train.0.format=csv"}, "must be one of text, lines, jsonl, shards"},
      {kSft, {"sft.data.chat_template.name=custom"}, "chat_template.roles is empty"},
      {kSft, {"sft.data.instruction_templates=[hello]"}, "must hold {prompt}"},
      {kSft, {"sft.optimizer.schedule=cosin"}, "did you mean cosine?"},
      {kSft,
       {"sft.optimizer.warmup_steps=3", "sft.optimizer.warmup_ratio=0.1"},
       "warmup_ratio and warmup_steps exclude each other"},
      {kRewardModel, {"reward_model.group_size=10"}, "must be within 2 .. 9"},
      {kRewardModel, {"reward_model.token_dropout=1"}, "at least 0 and below 1"},
      {kSft, {"sft.lora={}"}, "sft.lora.rank is 0, must be at least 1"},
      {kSft, {"sft.lora={rank: 4, dropout: 0.1}"}, "lora.dropout must be left out"},
      {kSft, {"sft.lora={rank: 4, targets: [all-linear, q_proj]}"}, "stands by itself"},
      {kRewardModel, {"reward_model.lora={rank: 4, alpha: -1}"}, "lora.alpha is -1"},
      {kPpo, {"ppo.lora={rank: 4, targets: [\"\"]}"}, "ppo.lora.targets[0] is empty"},
      {kTokenizer, {"tokenizer.vocab_size=256"}, "must be within 257"},
      {kTokenizer, {"tokenizer.pad=<pad>"}, "which is not in special_tokens"},
      {kTokenizer, {"roles=[{name: trainer, count: 2}]"}, "but a trainer of this job is 1"},
  });
}

TEST(SpecTrainingTest, AModelToStartFromBringsItsTokenizer) {
  const std::vector<std::string> shards = {"pretrain.data.tokenizer={}",
                                           "pretrain.data.train.0.format=shards"};
  EXPECT_THAT(Lines(ValidateJob(Job(kPretrain, shards))),
              ::testing::ElementsAre(::testing::HasSubstr("pretrain.data.tokenizer is missing")));
  v1::JobSpec sft = Job(kSft);
  sft.mutable_sft()->mutable_data()->clear_tokenizer();
  EXPECT_THAT(Lines(ValidateJob(sft)), ::testing::IsEmpty());
}

}  // namespace
}  // namespace trainyard::coordinator
