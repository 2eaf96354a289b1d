#include "worker/ppo_spec.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "spec/fields.h"
#include "task/job_spec.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "worker/spec_fields.h"
#include "worker/tokenizer_files.h"

namespace trainyard::worker {
namespace {

constexpr char kSampling[] = "ppo.sampling";
// Rollout and learner may run other kernels; beyond these they run another policy. In bf16 the
// rounding of thirty layers alone is 0.025 in the mean (SmolLM2-135M at temperature 0.7).
constexpr double kGapLimitFp32 = 1e-4;
constexpr double kGapLimitBf16 = 5e-2;

using spec::Or;

absl::Status Refuse(absl::string_view field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("ppo.", field, " ", why));
}

// Optimizer steps of the whole run: what schedules count.
int64_t TotalSteps(const v1::PpoSpec& spec) {
  const int64_t samples = Or(int64_t{spec.prompts_per_iteration()}, 512) *
                          Or(int64_t{spec.sampling().n()}, 1);
  const int64_t minibatch = Or(int64_t{spec.minibatch()}, 64);
  return spec.iterations() * Or(int64_t{spec.passes()}, 1) *
         ((samples + minibatch - 1) / minibatch);
}

absl::StatusOr<LearnerOptimizer> ParseLearnerOptimizer(v1::OptimizerSpec spec, double default_lr,
                                                       int64_t total_steps) {
  if (spec.lr() == 0) spec.set_lr(default_lr);
  if (spec.schedule().empty()) spec.set_schedule("constant");
  if (spec.warmup_steps() == 0 && spec.warmup_ratio() == 0) spec.set_warmup_ratio(0.03);
  TY_ASSIGN_OR_RETURN(const OptimizerJob job, ParseOptimizer(spec));
  LearnerOptimizer optimizer = {job.adamw, job.clip_norm, job.schedule};
  optimizer.schedule.total_steps = total_steps;
  if (optimizer.schedule.warmup_steps == 0) {
    optimizer.schedule.warmup_steps =
        static_cast<int64_t>(std::ceil(job.warmup_ratio * static_cast<double>(total_steps)));
  }
  return optimizer;
}

absl::StatusOr<KlLoss> ParseKlLoss(const std::string& name) {
  if (name.empty()) return KlLoss::kNone;
  if (name == "k2") return KlLoss::kK2;
  if (name == "k3") return KlLoss::kK3;
  if (name == "k1") {
    return Refuse("kl_loss", "is \"k1\": its expected gradient is zero; use k2 or k3");
  }
  return Refuse("kl_loss", absl::StrCat("is \"", name, "\", must be k2 or k3"));
}

absl::StatusOr<rl::NoEndRule> ParseNoEnd(const std::string& name) {
  if (name.empty() || name == "constant") return rl::NoEndRule::kConstant;
  if (name == "penalty") return rl::NoEndRule::kSubtract;
  if (name == "mask") return rl::NoEndRule::kMaskOut;
  return Refuse("no_eos", absl::StrCat("is \"", name, "\", must be constant, penalty or mask"));
}

absl::StatusOr<PolicyDefinition> ParsePolicy(const v1::PpoSpec& ppo,
                                             const task::Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(const std::string directory,
                      task::ResolveTokenizer(ppo.data().tokenizer(), ppo.policy(),
                                             "ppo.data.tokenizer", assignment));
  TY_ASSIGN_OR_RETURN(const TokenizerFiles files, OpenTokenizer(directory));
  TY_ASSIGN_OR_RETURN(const tokenizer::ChatTemplateSpec chat,
                      spec::ParseChatTemplate(ppo.data().chat_template(), directory));
  const v1::SamplingSpec& sampling = ppo.sampling();
  TY_RETURN_IF_ERROR(spec::CheckRecomputable(sampling, kSampling));
  PolicyDefinition policy;
  policy.temperature = sampling.has_temperature() ? sampling.temperature() : 1.0;
  policy.min_new_tokens = sampling.min_new_tokens();
  for (const std::string& text : sampling.forbidden_tokens()) {
    TY_ASSIGN_OR_RETURN(policy.forbidden_ids.emplace_back(),
                        spec::TokenOf(*files.tokenizer, text, kSampling));
  }
  std::vector<std::string> ends = {chat.end_of_turn};
  ends.insert(ends.end(), sampling.stop_tokens().begin(), sampling.stop_tokens().end());
  for (const std::string& text : ends) {
    TY_ASSIGN_OR_RETURN(policy.end_ids.emplace_back(),
                        spec::TokenOf(*files.tokenizer, text, kSampling));
  }
  return policy;
}

absl::StatusOr<LearnerModels> ParseModels(const v1::PpoSpec& ppo,
                                          const task::Assignment& assignment) {
  LearnerModels models;
  TY_ASSIGN_OR_RETURN(models.policy, task::ResolveFile(ppo.policy(), "ppo.policy", assignment));
  const v1::FileRef* critic = ppo.has_critic() ? &ppo.critic() : nullptr;
  for (const v1::RewardComponent& component : ppo.reward().components()) {
    if (critic == nullptr && component.has_learned()) critic = &component.learned().model();
  }
  if (critic != nullptr) {
    TY_ASSIGN_OR_RETURN(models.critic, task::ResolveFile(*critic, "ppo.critic", assignment));
  }
  TY_ASSIGN_OR_RETURN(const std::string tokenizer,
                      task::ResolveTokenizer(ppo.data().tokenizer(), ppo.policy(),
                                             "ppo.data.tokenizer", assignment));
  TY_ASSIGN_OR_RETURN(const TokenizerFiles files, OpenTokenizer(tokenizer));
  models.tokenizer_sha256 = files.sha256;
  return models;
}

absl::StatusOr<LearnerOptions> ParseOptions(const v1::PpoSpec& spec) {
  LearnerOptions options;
  PpoLossOptions& loss = options.loss;
  loss.clip_ratio = Or(spec.clip_ratio(), 0.2);
  if (spec.has_dual_clip()) loss.dual_clip = spec.dual_clip();
  if (spec.has_value_clip()) loss.value_clip = spec.value_clip();
  loss.entropy_weight = spec.entropy_weight();
  TY_ASSIGN_OR_RETURN(loss.kl_loss, ParseKlLoss(spec.kl_loss()));
  loss.kl_loss_weight = spec.kl_loss_weight();

  rl::TargetOptions& targets = options.targets;
  if (spec.has_gamma()) targets.gae.gamma = spec.gamma();
  if (spec.has_lambda()) targets.gae.lambda = spec.lambda();
  targets.reward.clip = Or(spec.reward_clip(), 10.0);
  TY_ASSIGN_OR_RETURN(targets.reward.no_end_rule, ParseNoEnd(spec.no_eos()));
  if (spec.has_no_eos_value()) targets.reward.no_end_value = spec.no_eos_value();
  if (spec.has_beta()) targets.beta = spec.beta();
  if (spec.has_whiten_advantages()) targets.whiten_advantages = spec.whiten_advantages();
  targets.whiten_rewards = spec.whiten_rewards();

  const int64_t total_steps = TotalSteps(spec);
  TY_ASSIGN_OR_RETURN(options.actor, ParseLearnerOptimizer(spec.actor(), 1e-6, total_steps));
  TY_ASSIGN_OR_RETURN(options.critic,
                      ParseLearnerOptimizer(spec.critic_optimizer(), 9e-6, total_steps));
  if (spec.has_lora()) {
    TY_ASSIGN_OR_RETURN(options.lora, ParseLora(spec.lora()));
  }
  options.micro_batch_tokens = Or(int64_t{spec.micro_batch_tokens()}, 16384);
  options.kl_stop = spec.kl_stop();
  TY_ASSIGN_OR_RETURN(options.dtype, ParseDtype(spec.dtype()));
  options.rollout_gap_limit =
      options.dtype == checkpoint::DType::kBF16 ? kGapLimitBf16 : kGapLimitFp32;
  return options;
}

}  // namespace

absl::StatusOr<LearnerPlan> ParseLearnerPlan(const task::Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(const v1::JobSpec job, task::JobSpecOf(assignment));
  if (!job.has_ppo()) {
    return absl::InvalidArgumentError("the assignment's spec is not of kind ppo");
  }
  const v1::PpoSpec& spec = job.ppo();
  if (spec.ema_decay() != 0) return Refuse("ema_decay", "is kept for later: leave it out");
  if (spec.ptx_weight() != 0) return Refuse("ptx_weight", "is kept for later: leave it out");
  if (spec.iterations() < 1) return Refuse("iterations", "must be >= 1");
  LearnerPlan plan;
  TY_ASSIGN_OR_RETURN(plan.options, ParseOptions(spec));
  TY_ASSIGN_OR_RETURN(plan.options.policy, ParsePolicy(spec, assignment));
  plan.options.seed = job.seed();
  TY_ASSIGN_OR_RETURN(plan.models, ParseModels(spec, assignment));
  return plan;
}

}  // namespace trainyard::worker
