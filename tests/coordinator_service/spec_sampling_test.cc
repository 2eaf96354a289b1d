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
      {kGenerate, {"generate.serve_idle_seconds=5"}, "serve_idle_seconds is only for serve: true"},
      {kGenerate, {"generate.serve=true"}, "generate.prompts is not for a job with serve"},
      {kGenerate, {"generate.serve=true"}, "generate.sampling is not for a job with serve"},
      {kGenerate, {"generate.serve=true", "generate.serve_idle_seconds=-1"},
       "serve_idle_seconds is -1, must be within 0"},
      {kEval, {"eval.prompts=[]"}, "is empty, and so are text and tasks"},
      {kGenerate, {"generate.sampling.top_p=1.5"}, "top_p is 1.5, must be within 0 .. 1"},
      {kGenerate, {"generate.sampling.min_p=2"}, "sampling.min_p is 2, must be within 0 .. 1"},
      {kGenerate, {"generate.sampling.typical_p=-1"}, "sampling.typical_p is -1"},
      {kGenerate, {"generate.sampling.repetition_penalty=-1"}, "repetition_penalty is -1"},
      {kGenerate, {"generate.sampling.presence_penalty=101"}, "presence_penalty is 101"},
      {kGenerate, {"generate.sampling.frequency_penalty=-101"}, "frequency_penalty is -101"},
      {kGenerate, {"generate.sampling.logit_bias=[{bias: 1}]"}, "logit_bias[0].token is missing"},
      {kGenerate,
       {"generate.sampling.logit_bias=[{token: a}, {token: a}]"},
       "logit_bias[1].token \"a\" is given twice"},
      {kGenerate, {"generate.sampling.best_of=1", "generate.sampling.n=2"}, "best_of is 1"},
      {kGenerate, {"generate.sampling.beam={width: 1}"}, "beam.width is 1, must be within 2 .. 64"},
      {kGenerate,
       {"generate.sampling.beam={width: 2, early_stopping: sometimes}"},
       "must be one of heuristic, first, never"},
      {kGenerate,
       {"generate.sampling.beam={width: 2}", "generate.sampling.n=3"},
       "sampling.n is 3, more than the beam.width of 2"},
      {kGenerate,
       {"generate.sampling.beam={width: 2}", "generate.sampling.temperature=0.5"},
       "sampling.temperature is set beside beam"},
      {kGenerate,
       {"generate.sampling.temperature=0", "generate.sampling.min_p=0.1"},
       "sampling.min_p has no meaning at temperature 0"},
      {kPpo, {"ppo.sampling.repetition_penalty=1.2"}, "PPO's learners do not recompute"},
      {kPpo, {"ppo.sampling.beam={width: 2}"}, "ppo.sampling.beam is set: PPO's learners"},
      {kPpo, {"ppo.sampling.best_of=4"}, "ppo.sampling.best_of is set: PPO's learners"},
      {kPpo, {"ppo.sampling.allowed_tokens=[a]"}, "ppo.sampling.allowed_tokens is set"},
      {kEval, {"eval.models.b.name=a"}, "is used by two models"},
      {kEval, {"eval.models.b.baseline=true"}, "is set on two models"},
      {kEval, {"eval.metrics.0.kind=polarity"}, "eval.metrics[0].file is missing"},
      {kEval, {"eval.gates=[{metric: variety}]"}, "bounds nothing"},
      {kEval,
       {"eval.metrics.0.kind=kl_to_baseline", "eval.sampling.repetition_penalty=1.2"},
       "eval.sampling.repetition_penalty is set: the metric"},
      {kEval, {"roles=[{name: rollout, count: 1}]"}, "but a rollout of this job is 2"},
  });
}

}  // namespace
}  // namespace trainyard::coordinator
