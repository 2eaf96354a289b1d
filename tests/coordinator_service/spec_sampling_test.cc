// coordinator/spec_sampling.cc

#include "tests/coordinator_service/spec_rules.h"

namespace trainyard::coordinator {
namespace {

TEST(SpecSamplingTest, RulesOfTheKindsThatDrawAnswers) {
  ExpectHeld({
      {kPpo, {"ppo.iterations=0"}, "ppo.iterations is 0"},
      {kPpo, {"ppo.minibatch=17"}, "more than the 16 samples of an iteration"},
      {kPpo, {"ppo.dual_clip=0.5"}, "must be more than 1 (or 0 for off)"},
      {kPpo, {"ppo.kl_target=6"}, "ppo.kl_horizon is missing"},
      {kPpo, {"ppo.kl_loss=k1"}, "must be one of k2, k3"},
      {kPpo, {"ppo.ema_decay=0.9"}, "is not supported yet"},
      {kPpo, {"ppo.reward.components=[]"}, "ppo.reward.components is empty"},
      {kPpo, {"ppo.reward.components=[{name: x}]"}, "has no scorer"},
      {kPpo, {"ppo.sampling.max_new_tokens=0"}, "max_new_tokens is 0, must be at least 1"},
      {kPpo, {"ppo.sampling.min_new_tokens=17"}, "more than max_new_tokens 16"},
      {kPpo, {"roles=[{name: controller, count: 2}]"}, "but a controller of this job is 1"},
      {kGenerate, {"generate.prompts=[]"}, "generate.prompts is empty"},
      {kGenerate, {"generate.sampling.top_p=1.5"}, "top_p is 1.5, must be within 0 .. 1"},
      {kEval, {"eval.models.b.name=a"}, "is used by two models"},
      {kEval, {"eval.models.b.baseline=true"}, "is set on two models"},
      {kEval, {"eval.metrics.0.kind=polarity"}, "eval.metrics[0].file is missing"},
      {kEval, {"eval.gates=[{metric: variety}]"}, "bounds nothing"},
      {kEval, {"roles=[{name: rollout, count: 1}]"}, "but a rollout of this job is 2"},
  });
}

}  // namespace
}  // namespace trainyard::coordinator
