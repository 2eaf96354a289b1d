// Rules of the kinds that draw answers: ppo, generate, eval.

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/spec_validation.h"

namespace trainyard::coordinator {
namespace {

constexpr double kMaxPenalty = 100;
constexpr double kMaxBias = 1e6;
constexpr int kMaxBeams = 64;
constexpr double kMaxServeIdleSeconds = 7 * 24 * 3600;

void ValidatePenalties(const v1::SamplingSpec& sampling, SpecChecks checks) {
  checks.Within("repetition_penalty", sampling.repetition_penalty(), 0, kMaxPenalty);
  checks.Within("presence_penalty", sampling.presence_penalty(), -kMaxPenalty, kMaxPenalty);
  checks.Within("frequency_penalty", sampling.frequency_penalty(), -kMaxPenalty, kMaxPenalty);
  std::set<std::string> biased;
  for (int i = 0; i < sampling.logit_bias_size(); ++i) {
    const v1::LogitBias& token = sampling.logit_bias(i);
    SpecChecks here = checks.Under("logit_bias", i);
    if (token.token().empty()) here.Violation("token", "is missing");
    if (!biased.insert(token.token()).second) {
      here.Violation("token", absl::StrCat("\"", token.token(), "\" is given twice"));
    }
    here.Within("bias", token.bias(), -kMaxBias, kMaxBias);
  }
  for (int i = 0; i < sampling.allowed_tokens_size(); ++i) {
    if (sampling.allowed_tokens(i).empty()) {
      checks.Under("allowed_tokens", i).Violation("", "is empty; name a token by its text");
    }
  }
}

// Fields that shape what is drawn and were given: they have no effect where nothing is drawn.
void RefuseCuts(const v1::SamplingSpec& sampling, const std::string& why, SpecChecks checks) {
  if (sampling.top_k() > 1) checks.Violation("top_k", why);
  if (sampling.top_p() > 0 && sampling.top_p() < 1) checks.Violation("top_p", why);
  if (sampling.min_p() > 0) checks.Violation("min_p", why);
  if (sampling.typical_p() > 0 && sampling.typical_p() < 1) checks.Violation("typical_p", why);
  if (sampling.best_of() > 1) checks.Violation("best_of", why);
}

void ValidateBeam(const v1::SamplingSpec& sampling, SpecChecks checks) {
  const v1::BeamSearchSpec& beam = sampling.beam();
  SpecChecks here = checks.Under("beam");
  here.Within("width", beam.width(), 2, kMaxBeams);
  here.Within("length_penalty", beam.length_penalty(), -kMaxPenalty, kMaxPenalty);
  if (!beam.early_stopping().empty()) {
    here.OneOf("early_stopping", beam.early_stopping(), {"heuristic", "first", "never"});
  }
  if (sampling.n() > beam.width()) {
    checks.Violation("n", absl::StrCat("is ", sampling.n(), ", more than the beam.width of ",
                                       beam.width(), " hypotheses"));
  }
  const std::string why = "is set beside beam, which draws nothing; leave it out";
  if (sampling.temperature() != 0 && sampling.temperature() != 1) {
    checks.Violation("temperature", why);
  }
  RefuseCuts(sampling, why, checks);
}

// What makes the answers no samples of a distribution known by temperature, forbidden tokens
// and min_new_tokens alone.
void RefusePolicyChanges(const v1::SamplingSpec& sampling, const std::string& why,
                         SpecChecks checks) {
  if (sampling.repetition_penalty() != 0 && sampling.repetition_penalty() != 1) {
    checks.Violation("repetition_penalty", why);
  }
  if (sampling.presence_penalty() != 0) checks.Violation("presence_penalty", why);
  if (sampling.frequency_penalty() != 0) checks.Violation("frequency_penalty", why);
  if (sampling.logit_bias_size() > 0) checks.Violation("logit_bias", why);
  if (sampling.allowed_tokens_size() > 0) checks.Violation("allowed_tokens", why);
  if (sampling.best_of() > 0) checks.Violation("best_of", why);
  if (sampling.has_beam()) checks.Violation("beam", why);
}

void ValidateSampling(const v1::SamplingSpec& sampling, SpecChecks checks) {
  if (sampling.has_temperature()) checks.Within("temperature", sampling.temperature(), 0, 100);
  checks.AtLeast("top_k", sampling.top_k(), 0);
  checks.Within("top_p", sampling.top_p(), 0, 1);
  checks.Within("min_p", sampling.min_p(), 0, 1);
  checks.Within("typical_p", sampling.typical_p(), 0, 1);
  ValidatePenalties(sampling, checks);
  if (sampling.has_beam()) {
    ValidateBeam(sampling, checks);
  } else if (sampling.has_temperature() && sampling.temperature() == 0) {
    RefuseCuts(sampling, "has no meaning at temperature 0; leave it out", checks);
  }
  checks.AtLeast("max_new_tokens", sampling.max_new_tokens(), 1);
  checks.AtLeast("min_new_tokens", sampling.min_new_tokens(), 0);
  if (sampling.max_new_tokens() > 0 && sampling.min_new_tokens() > sampling.max_new_tokens()) {
    checks.Violation("min_new_tokens",
                     absl::StrCat("is ", sampling.min_new_tokens(), ", more than max_new_tokens ",
                                  sampling.max_new_tokens()));
  }
  checks.Within("n", sampling.n(), 0, 1024);
  if (sampling.best_of() == 0) return;
  checks.Within("best_of", sampling.best_of(), std::max(1, sampling.n()), 1024);
}

void ValidateComponent(const v1::RewardComponent& component, SpecChecks checks) {
  if (component.name().empty()) checks.Violation("name", "is missing");
  switch (component.scorer_case()) {
    case v1::RewardComponent::kLearned:
      checks.Under("learned").File("model", component.learned().has_model(),
                                   component.learned().model(), true);
      break;
    case v1::RewardComponent::kLexicon:
      checks.Under("lexicon").File("file", component.lexicon().has_file(),
                                   component.lexicon().file(), true);
      break;
    case v1::RewardComponent::kRegex:
      if (component.regex().pattern().empty()) checks.Violation("regex.pattern", "is empty");
      break;
    case v1::RewardComponent::kLength: {
      SpecChecks length = checks.Under("length");
      length.AtLeast("min_tokens", component.length().min_tokens(), 0);
      length.AtLeast("max_tokens", component.length().max_tokens(),
                     component.length().min_tokens());
      length.AtLeast("slack_tokens", component.length().slack_tokens(), 0);
      break;
    }
    case v1::RewardComponent::kForbiddenWords:
      if (component.forbidden_words().words().empty()) {
        checks.Violation("forbidden_words.words", "is empty");
      }
      break;
    case v1::RewardComponent::kExactMatch:
    case v1::RewardComponent::kAbstention:
      break;
    case v1::RewardComponent::SCORER_NOT_SET:
      checks.Violation("",
                       "has no scorer; give one of learned, exact_match, regex, length, "
                       "lexicon, abstention, forbidden_words");
  }
}

void ValidateReward(const v1::RewardSpec& reward, SpecChecks checks) {
  if (reward.components().empty()) {
    checks.Violation("components", "is empty; name at least one scorer");
  }
  std::set<std::string> names;
  for (int i = 0; i < reward.components_size(); ++i) {
    SpecChecks component = checks.Under("components", i);
    ValidateComponent(reward.components(i), component);
    if (!names.insert(reward.components(i).name()).second) {
      component.Violation(
          "name", absl::StrCat("\"", reward.components(i).name(), "\" is used by two components"));
    }
  }
  if (!reward.combine().empty()) {
    checks.OneOf("combine", reward.combine(), {"weighted_sum", "product", "gate", "min"});
  }
}

void ValidateSources(absl::string_view field,
                     const google::protobuf::RepeatedPtrField<v1::DataSource>& sources,
                     SpecChecks checks) {
  if (sources.empty()) checks.Violation(field, "is empty; name at least one file");
  for (int i = 0; i < sources.size(); ++i) ValidateSource(sources[i], checks.Under(field, i));
}

void ValidatePpoSizes(const v1::PpoSpec& spec, SpecChecks checks) {
  checks.AtLeast("iterations", static_cast<double>(spec.iterations()), 1);
  checks.AtLeast("prompts_per_iteration", spec.prompts_per_iteration(), 1);
  checks.AtLeast("minibatch", spec.minibatch(), 0);
  checks.AtLeast("passes", spec.passes(), 0);
  checks.AtLeast("micro_batch_tokens", spec.micro_batch_tokens(), 0);
  checks.AtLeast("critic_warmup", static_cast<double>(spec.critic_warmup()), 0);
  checks.AtLeast("checkpoint_every", static_cast<double>(spec.checkpoint_every()), 0);
  checks.AtLeast("keep_checkpoints", spec.keep_checkpoints(), 0);
  checks.AtLeast("eval_every", static_cast<double>(spec.eval_every()), 0);
  const int64_t samples =
      int64_t{spec.prompts_per_iteration()} * (spec.sampling().n() > 0 ? spec.sampling().n() : 1);
  if (spec.minibatch() > samples) {
    checks.Violation("minibatch", absl::StrCat("is ", spec.minibatch(), ", more than the ", samples,
                                               " samples of an iteration"));
  }
}

void ValidatePpoObjective(const v1::PpoSpec& spec, SpecChecks checks) {
  checks.Below("clip_ratio", spec.clip_ratio(), 0, 1);
  if (spec.has_dual_clip() && spec.dual_clip() != 0 && !(spec.dual_clip() > 1)) {
    checks.Violation("dual_clip",
                     absl::StrCat("is ", spec.dual_clip(), ", must be more than 1 (or 0 for off)"));
  }
  if (spec.has_value_clip()) checks.AtLeast("value_clip", spec.value_clip(), 0);
  if (spec.has_gamma()) checks.Within("gamma", spec.gamma(), 0, 1);
  if (spec.has_lambda()) checks.Within("lambda", spec.lambda(), 0, 1);
  if (spec.has_beta()) checks.AtLeast("beta", spec.beta(), 0);
  checks.AtLeast("kl_target", spec.kl_target(), 0);
  checks.AtLeast("kl_horizon", spec.kl_horizon(), 0);
  if (spec.kl_target() > 0 && !(spec.kl_horizon() > 0)) {
    checks.Violation("kl_horizon", "is missing; an adaptive beta needs kl_target and kl_horizon");
  }
  if (!spec.kl_loss().empty()) checks.OneOf("kl_loss", spec.kl_loss(), {"k2", "k3"});
  checks.AtLeast("kl_loss_weight", spec.kl_loss_weight(), 0);
  checks.AtLeast("reward_clip", spec.reward_clip(), 0);
  if (!spec.no_eos().empty()) {
    checks.OneOf("no_eos", spec.no_eos(), {"constant", "penalty", "mask"});
  }
  checks.AtLeast("kl_stop", spec.kl_stop(), 0);
  checks.AtLeast("entropy_weight", spec.entropy_weight(), 0);
  if (spec.has_max_failed_fraction()) {
    checks.Within("max_failed_fraction", spec.max_failed_fraction(), 0, 1);
  }
  checks.AtLeast("stall_seconds", spec.stall_seconds(), 0);
  if (spec.ema_decay() != 0) checks.Violation("ema_decay", "is not supported yet; leave it out");
  if (spec.has_lora()) ValidateLora(spec.lora(), checks.Under("lora"));
  if (spec.ptx_weight() != 0) checks.Violation("ptx_weight", "is not supported yet; leave it out");
}

// A served job asks nothing itself: what calls say of sampling and prompts is theirs.
void ValidateServe(const v1::GenerateSpec& spec, SpecChecks checks) {
  const char kTheirs[] = "is not for a job with serve: whoever calls it says so";
  if (!spec.prompts().empty()) checks.Violation("prompts", kTheirs);
  if (spec.limit() != 0) checks.Violation("limit", kTheirs);
  if (spec.shuffle_seed() != 0) checks.Violation("shuffle_seed", kTheirs);
  if (spec.has_chat_template()) checks.Violation("chat_template", kTheirs);
  if (spec.has_sampling()) checks.Violation("sampling", kTheirs);
  if (spec.has_reward()) {
    checks.Violation("reward", "is not for a job with serve: its answers are not scored");
  }
  checks.Within("serve_idle_seconds", spec.serve_idle_seconds(), 0, kMaxServeIdleSeconds);
}

void ValidateMetrics(const v1::EvalSpec& spec, SpecChecks checks) {
  std::set<std::string> names;
  for (int i = 0; i < spec.metrics_size(); ++i) {
    const v1::EvalMetric& metric = spec.metrics(i);
    SpecChecks here = checks.Under("metrics", i);
    if (metric.name().empty()) here.Violation("name", "is missing");
    if (!names.insert(metric.name()).second) {
      here.Violation("name", absl::StrCat("\"", metric.name(), "\" is used by two metrics"));
    }
    here.OneOf("kind", metric.kind(),
               {"polarity", "naive_bayes", "perplexity_under", "distinct_2", "top_word_share",
                "kl_to_baseline", "length_ratio", "end_share", "reward", "exact_match"});
    const bool needs_file = metric.kind() == "polarity" || metric.kind() == "naive_bayes";
    here.File("file", metric.has_file(), metric.file(), needs_file);
  }
  for (int i = 0; i < spec.gates_size(); ++i) {
    const v1::EvalGate& gate = spec.gates(i);
    SpecChecks here = checks.Under("gates", i);
    if (gate.metric().empty()) here.Violation("metric", "is missing");
    if (!gate.of().empty()) here.OneOf("of", gate.of(), {"delta", "ratio", "value"});
    if (!gate.has_min() && !gate.has_max() && !gate.has_ci_low_min() && !gate.has_ci_high_max()) {
      here.Violation("", "bounds nothing; give min, max, ci_low_min or ci_high_max");
    }
  }
}

}  // namespace

void ValidatePpo(const v1::PpoSpec& spec, SpecChecks checks) {
  checks.File("policy", spec.has_policy(), spec.policy(), true);
  checks.File("critic", spec.has_critic(), spec.critic(), false);
  ValidateReward(spec.reward(), checks.Under("reward"));
  ValidateData(spec.data(), checks.Under("data"));
  ValidateSampling(spec.sampling(), checks.Under("sampling"));
  RefusePolicyChanges(
      spec.sampling(),
      "is set: PPO's learners do not recompute what it does to the policy; leave it out",
      checks.Under("sampling"));
  ValidateOptimizer(spec.actor(), checks.Under("actor"));
  if (spec.has_critic_optimizer()) {
    ValidateOptimizer(spec.critic_optimizer(), checks.Under("critic_optimizer"));
  }
  ValidatePpoSizes(spec, checks);
  ValidatePpoObjective(spec, checks);
}

void ValidateGenerate(const v1::GenerateSpec& spec, SpecChecks checks) {
  checks.File("model", spec.has_model(), spec.model(), true);
  checks.File("tokenizer", spec.has_tokenizer(), spec.tokenizer(), false);
  if (spec.serve()) return ValidateServe(spec, checks);
  if (spec.serve_idle_seconds() != 0) {
    checks.Violation("serve_idle_seconds", "is only for serve: true");
  }
  ValidateSources("prompts", spec.prompts(), checks);
  checks.AtLeast("limit", static_cast<double>(spec.limit()), 0);
  if (spec.has_chat_template()) {
    ValidateChatTemplate(spec.chat_template(), checks.Under("chat_template"));
  }
  ValidateSampling(spec.sampling(), checks.Under("sampling"));
  if (spec.has_reward()) ValidateReward(spec.reward(), checks.Under("reward"));
}

void ValidateEval(const v1::EvalSpec& spec, SpecChecks checks) {
  if (spec.models().empty()) checks.Violation("models", "is empty; name at least one model");
  std::set<std::string> names;
  int baselines = 0;
  for (int i = 0; i < spec.models_size(); ++i) {
    SpecChecks here = checks.Under("models", i);
    here.File("model", spec.models(i).has_model(), spec.models(i).model(), true);
    if (spec.models(i).name().empty()) here.Violation("name", "is missing");
    if (!names.insert(spec.models(i).name()).second) {
      here.Violation("name", absl::StrCat("\"", spec.models(i).name(), "\" is used by two models"));
    }
    if (spec.models(i).baseline() && ++baselines > 1) {
      here.Violation("baseline", "is set on two models; keep one");
    }
  }
  if (spec.prompts().empty() && spec.text().empty() && spec.tasks().empty()) {
    checks.Violation("prompts", "is empty, and so are text and tasks; give rows to measure on");
  }
  ValidateEvalTasks(spec, checks);
  for (int i = 0; i < spec.prompts_size(); ++i) {
    ValidateSource(spec.prompts(i), checks.Under("prompts", i));
  }
  for (int i = 0; i < spec.text_size(); ++i) ValidateSource(spec.text(i), checks.Under("text", i));
  checks.AtLeast("limit", static_cast<double>(spec.limit()), 0);
  checks.AtLeast("bootstrap_resamples", spec.bootstrap_resamples(), 0);
  if (spec.has_chat_template()) {
    ValidateChatTemplate(spec.chat_template(), checks.Under("chat_template"));
  }
  if (!spec.prompts().empty()) ValidateSampling(spec.sampling(), checks.Under("sampling"));
  for (const v1::EvalMetric& metric : spec.metrics()) {
    if (metric.kind() != "kl_to_baseline") continue;
    RefusePolicyChanges(
        spec.sampling(),
        absl::StrCat("is set: the metric ", metric.name(),
                     " (kl_to_baseline) needs samples of the models' own distributions; leave one "
                     "of both out"),
        checks.Under("sampling"));
  }
  if (spec.has_reward()) ValidateReward(spec.reward(), checks.Under("reward"));
  ValidateMetrics(spec, checks);
}

}  // namespace trainyard::coordinator
