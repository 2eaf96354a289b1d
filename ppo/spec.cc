#include "ppo/spec.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/status.h"
#include "spec/fields.h"
#include "task/job_spec.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::ppo {
namespace {

using spec::Or;

constexpr char kSampling[] = "ppo.sampling";

absl::Status Refuse(absl::string_view field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("ppo.", field, " ", why));
}

// Longest sequence of the policy, from its config.json.
absl::StatusOr<int64_t> ContextOf(const std::string& policy) {
  TY_ASSIGN_OR_RETURN(const Json config, ReadJsonFile(absl::StrCat(policy, "/config.json")));
  const JsonReader reader(config, absl::StrCat(policy, "/config.json"));
  if (reader.Has("n_positions")) return reader.Int("n_positions");
  return reader.Int("max_position_embeddings");
}

absl::StatusOr<std::unique_ptr<data::PromptSource>> LoadPrompts(
    const google::protobuf::RepeatedPtrField<v1::DataSource>& sources, const v1::DataSpec& data,
    data::PromptSpec prompts, const PpoJob& job, const task::Assignment& assignment) {
  prompts.too_long = data.overlong() == "refuse" ? data::TooLong::kRefuse : data::TooLong::kDrop;
  for (const v1::DataSource& source : sources) {
    data::SourceSpec& to = prompts.sources.emplace_back();
    TY_ASSIGN_OR_RETURN(to, spec::ParseRows(source, "ppo.data", assignment));
    to.max_bad_rows = data.max_bad_rows();
    to.instruction_templates.assign(data.instruction_templates().begin(),
                                    data.instruction_templates().end());
  }
  return data::PromptSource::Load(prompts, *job.tokenizer, job.chat_template.get());
}

absl::StatusOr<Sampling> ParseSampling(const v1::SamplingSpec& wire, const PpoJob& job) {
  TY_RETURN_IF_ERROR(spec::CheckRecomputable(wire, kSampling));
  Sampling sampling;
  if (wire.has_temperature()) sampling.temperature = wire.temperature();
  if (!(sampling.temperature > 0)) return Refuse("sampling.temperature", "must be > 0 in PPO");
  sampling.top_k = wire.top_k();
  sampling.top_p = Or(wire.top_p(), 1.0);
  sampling.min_p = wire.min_p();
  sampling.typical_p = Or(wire.typical_p(), 1.0);
  sampling.max_new_tokens = wire.max_new_tokens();
  if (sampling.max_new_tokens < 1) return Refuse("sampling.max_new_tokens", "must be >= 1");
  sampling.min_new_tokens = wire.min_new_tokens();
  sampling.ignore_eos = wire.ignore_eos();
  sampling.stop_strings.assign(wire.stop().begin(), wire.stop().end());
  for (const std::string& text : wire.forbidden_tokens()) {
    TY_ASSIGN_OR_RETURN(sampling.forbidden_ids.emplace_back(),
                        spec::TokenOf(*job.tokenizer, text, kSampling));
  }
  sampling.end_ids = {job.chat_template->end_of_turn()};
  for (const std::string& text : wire.stop_tokens()) {
    TY_ASSIGN_OR_RETURN(sampling.end_ids.emplace_back(),
                        spec::TokenOf(*job.tokenizer, text, kSampling));
  }
  return sampling;
}

absl::Status ParseLoop(const v1::PpoSpec& spec, ControllerOptions& options) {
  options.iterations = spec.iterations();
  if (options.iterations < 1) return Refuse("iterations", "must be >= 1");
  options.prompts_per_iteration = Or(spec.prompts_per_iteration(), 512);
  options.samples_per_prompt = Or(spec.sampling().n(), 1);
  options.minibatch = Or(spec.minibatch(), 64);
  options.passes = Or(spec.passes(), 1);
  if (spec.no_eos() == "penalty") options.no_end_rule = rl::NoEndRule::kSubtract;
  if (spec.no_eos() == "mask") options.no_end_rule = rl::NoEndRule::kMaskOut;
  if (spec.has_beta()) options.beta = spec.beta();
  if (spec.kl_target() < 0) return Refuse("kl_target", "must be >= 0");
  if (spec.kl_target() > 0) {
    options.adaptive_beta =
        rl::AdaptiveBetaOptions{spec.kl_target(), Or(spec.kl_horizon(), 10000.0)};
  }
  options.critic_warmup = spec.critic_warmup();
  options.checkpoint_every = Or(spec.checkpoint_every(), int64_t{1});
  options.keep_checkpoints = Or(spec.keep_checkpoints(), 2);
  options.eval_every = spec.eval_every();
  if (spec.has_max_failed_fraction()) options.max_failed_fraction = spec.max_failed_fraction();
  options.stall_limit = absl::Seconds(Or(spec.stall_seconds(), 600.0));
  options.timeouts.generate = std::min(options.timeouts.generate, options.stall_limit / 2);
  options.timeouts.score = std::min(options.timeouts.score, options.stall_limit / 2);
  return absl::OkStatus();
}

absl::Status LoadText(const v1::PpoSpec& ppo, const task::Assignment& assignment, PpoJob& job) {
  TY_ASSIGN_OR_RETURN(const std::string path,
                      task::ResolveTokenizer(ppo.data().tokenizer(), ppo.policy(),
                                             "ppo.data.tokenizer", assignment));
  job.options.tokenizer_directory = path;
  TY_ASSIGN_OR_RETURN(tokenizer::TokenizerInDirectory found, tokenizer::LoadTokenizerOf(path));
  job.tokenizer = std::move(found.tokenizer);
  TY_ASSIGN_OR_RETURN(job.options.tokenizer_hash, FileSha256Hex(found.path));
  TY_ASSIGN_OR_RETURN(const tokenizer::ChatTemplateSpec chat,
                      spec::ParseChatTemplate(ppo.data().chat_template(), path));
  job.options.chat_template = tokenizer::ChatTemplateJson(chat);
  TY_ASSIGN_OR_RETURN(tokenizer::ChatTemplate bound,
                      tokenizer::ChatTemplate::Bind(chat, *job.tokenizer));
  job.chat_template = std::make_unique<tokenizer::ChatTemplate>(std::move(bound));
  return absl::OkStatus();
}

absl::Status LoadData(const v1::PpoSpec& spec, const task::Assignment& assignment, PpoJob& job) {
  TY_ASSIGN_OR_RETURN(const std::string policy,
                      task::ResolveFile(spec.policy(), "ppo.policy", assignment));
  TY_ASSIGN_OR_RETURN(int64_t length, ContextOf(policy));
  if (spec.data().max_length() > 0) length = std::min<int64_t>(length, spec.data().max_length());
  data::PromptSpec prompts;
  prompts.seed = Or(spec.data().seed(), job.options.seed);
  prompts.max_tokens = static_cast<int32_t>(length - job.options.sampling.max_new_tokens);
  if (prompts.max_tokens < 1) {
    return Refuse("sampling.max_new_tokens",
                  absl::StrCat("is ", job.options.sampling.max_new_tokens,
                               " and leaves no room for a prompt in a context of ", length));
  }
  TY_ASSIGN_OR_RETURN(job.train, LoadPrompts(spec.data().train(), spec.data(), prompts, job,
                                             assignment));
  if (spec.eval_every() == 0 || spec.data().validation().empty()) return absl::OkStatus();
  prompts.shuffle = false;
  TY_ASSIGN_OR_RETURN(job.validation, LoadPrompts(spec.data().validation(), spec.data(), prompts,
                                                  job, assignment));
  return absl::OkStatus();
}

int LearnerCount(const v1::JobSpec& spec) {
  for (const v1::RoleSpec& role : spec.roles()) {
    if (role.name() == "learner" && role.count() > 0) return role.count();
  }
  return 1;
}

}  // namespace

absl::StatusOr<PpoJob> LoadPpoJob(const task::Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(const v1::JobSpec spec, task::JobSpecOf(assignment));
  if (!spec.has_ppo()) {
    return absl::InvalidArgumentError("the assignment's spec is not of kind ppo");
  }
  PpoJob job;
  job.options.fence = assignment.Fence();
  job.options.run_uri = assignment.run_uri;
  job.options.roots = assignment.roots;
  job.options.seed = spec.seed();
  job.options.learners = LearnerCount(spec);
  job.options.adapter = spec.ppo().has_lora();
  job.options.allow_numerics_change = spec.allow_numerics_change();
  TY_RETURN_IF_ERROR(ParseLoop(spec.ppo(), job.options));
  TY_RETURN_IF_ERROR(LoadText(spec.ppo(), assignment, job));
  TY_ASSIGN_OR_RETURN(job.options.sampling, ParseSampling(spec.ppo().sampling(), job));
  TY_RETURN_IF_ERROR(LoadData(spec.ppo(), assignment, job));
  return job;
}

}  // namespace trainyard::ppo
