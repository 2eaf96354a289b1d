#include "eval/eval_spec.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "spec/fields.h"
#include "task/job_spec.h"

namespace trainyard::eval {
namespace {

using Sources = google::protobuf::RepeatedPtrField<v1::DataSource>;

constexpr double kServeIdleSeconds = 600;

// Reads the parts of one job's spec.
class SpecReader {
 public:
  SpecReader(const task::Assignment& assignment, uint64_t job_seed)
      : assignment_(assignment), job_seed_(job_seed) {}

  absl::StatusOr<std::string> Path(const v1::FileRef& file, absl::string_view what) const {
    return task::ResolveFile(file, what, assignment_);
  }

  absl::StatusOr<ModelPlace> Model(const v1::FileRef& file, absl::string_view name) const {
    TY_ASSIGN_OR_RETURN(task::FilePlace place,
                        task::LocateFile(file, absl::StrCat("model ", name), assignment_));
    return ModelPlace{std::string(name), std::move(place.path), std::move(place.manifest_sha256),
                      false};
  }

  absl::StatusOr<std::vector<data::SourceSpec>> Rows(const Sources& sources,
                                                     absl::string_view what) const {
    std::vector<data::SourceSpec> specs;
    for (const v1::DataSource& source : sources) {
      TY_ASSIGN_OR_RETURN(specs.emplace_back(), spec::ParseRows(source, what, assignment_));
    }
    return specs;
  }

  absl::StatusOr<SamplingText> Sampling(const v1::SamplingSpec& spec) const {
    SamplingText sampling;
    if (spec.has_temperature()) sampling.temperature = spec.temperature();
    sampling.top_k = spec.top_k();
    sampling.top_p = spec.top_p();
    sampling.min_p = spec.min_p();
    sampling.typical_p = spec.typical_p();
    sampling.repetition_penalty = spec.repetition_penalty();
    sampling.presence_penalty = spec.presence_penalty();
    sampling.frequency_penalty = spec.frequency_penalty();
    for (const v1::LogitBias& token : spec.logit_bias()) {
      sampling.logit_bias.emplace_back(token.token(), token.bias());
    }
    sampling.allowed_tokens.assign(spec.allowed_tokens().begin(), spec.allowed_tokens().end());
    sampling.best_of = spec.best_of();
    if (spec.has_beam()) {
      sampling.beam = {spec.beam().width(),
                       spec.beam().has_length_penalty() ? spec.beam().length_penalty() : 1.0,
                       spec.beam().early_stopping()};
    }
    sampling.max_new_tokens = spec.max_new_tokens();
    sampling.min_new_tokens = spec.min_new_tokens();
    sampling.forbidden_tokens.assign(spec.forbidden_tokens().begin(),
                                     spec.forbidden_tokens().end());
    sampling.stop_strings.assign(spec.stop().begin(), spec.stop().end());
    sampling.stop_tokens.assign(spec.stop_tokens().begin(), spec.stop_tokens().end());
    sampling.ignore_eos = spec.ignore_eos();
    sampling.seed = spec.seed() != 0 ? spec.seed() : job_seed_;
    sampling.samples = spec.n() != 0 ? spec.n() : 1;
    if (sampling.max_new_tokens < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("sampling.max_new_tokens is ", sampling.max_new_tokens, ", must be >= 1"));
    }
    return sampling;
  }

  static absl::StatusOr<std::optional<tokenizer::ChatTemplateSpec>> Template(
      const v1::ChatTemplate& chat_template, const std::string& directory) {
    if (chat_template.name().empty()) return std::nullopt;
    TY_ASSIGN_OR_RETURN(tokenizer::ChatTemplateSpec parsed,
                        spec::ParseChatTemplate(chat_template, directory));
    return parsed;
  }

  // Of the fields that generate and eval specs have in common; the tokenizer is in `directory`.
  template <typename Spec>
  absl::StatusOr<PromptJob> Prompts(const Spec& spec, const std::string& directory) const {
    PromptJob job;
    job.limit = spec.limit();
    job.shuffle_seed = spec.shuffle_seed();
    TY_ASSIGN_OR_RETURN(job.sources, Rows(spec.prompts(), "prompts"));
    TY_ASSIGN_OR_RETURN(job.chat_template, Template(spec.chat_template(), directory));
    if (!job.sources.empty()) {
      TY_ASSIGN_OR_RETURN(job.sampling, Sampling(spec.sampling()));
    }
    return job;
  }

  absl::StatusOr<TaskJob> Task(const v1::EvalTask& spec) const {
    TaskJob task;
    task.name = spec.name();
    TY_ASSIGN_OR_RETURN(task.kind, KindOfTask(spec.kind()));
    const std::string what = absl::StrCat("task ", task.name);
    TY_ASSIGN_OR_RETURN(task.items, Rows(spec.items(), what + ": items"));
    TY_ASSIGN_OR_RETURN(task.examples, Rows(spec.examples(), what + ": examples"));
    task.limit = spec.limit();
    task.prompt = spec.prompt();
    task.target = spec.target();
    if (!spec.choices().empty()) task.choices = spec.choices();
    if (spec.has_target_delimiter()) task.target_delimiter = spec.target_delimiter();
    if (spec.has_example_delimiter()) task.example_delimiter = spec.example_delimiter();
    task.description = spec.description();
    task.shots = spec.shots();
    if (spec.has_shots_seed()) task.shots_seed = spec.shots_seed();
    task.reasoning = spec.reasoning();
    task.answer_pattern = spec.answer_pattern();
    task.ignore_case = spec.ignore_case();
    task.ignore_punctuation = spec.ignore_punctuation();
    task.max_new_tokens = spec::Or(spec.max_new_tokens(), task.max_new_tokens);
    task.stop.assign(spec.stop().begin(), spec.stop().end());
    task.chat = spec.chat();
    return task;
  }

  uint64_t job_seed() const { return job_seed_; }

 private:
  static absl::StatusOr<TaskKind> KindOfTask(absl::string_view kind) {
    if (kind == "exact_match") return TaskKind::kExactMatch;
    if (kind == "multiple_choice") return TaskKind::kMultipleChoice;
    return absl::InvalidArgumentError(
        absl::StrCat("tasks.kind is \"", kind, "\", must be exact_match or multiple_choice"));
  }

  const task::Assignment& assignment_;
  const uint64_t job_seed_;
};

absl::StatusOr<GenerateJob> ParseGenerate(const v1::GenerateSpec& spec, const SpecReader& reader) {
  GenerateJob job;
  TY_ASSIGN_OR_RETURN(job.model, reader.Model(spec.model(), "model"));
  job.tokenizer_directory = job.model.directory;
  if (spec.has_tokenizer()) {
    TY_ASSIGN_OR_RETURN(job.tokenizer_directory, reader.Path(spec.tokenizer(), "tokenizer"));
  }
  TY_ASSIGN_OR_RETURN(job.prompts, reader.Prompts(spec, job.tokenizer_directory));
  if (spec.serve()) {
    job.serve_idle = absl::Seconds(spec::Or(spec.serve_idle_seconds(), kServeIdleSeconds));
  } else if (job.prompts.sources.empty()) {
    return absl::InvalidArgumentError("generate.prompts is empty");
  }
  job.scored = spec.has_reward();
  return job;
}

absl::StatusOr<GateOf> ParseGateOf(absl::string_view of) {
  if (of.empty() || of == "value") return GateOf::kValue;
  if (of == "delta") return GateOf::kDelta;
  if (of == "ratio") return GateOf::kRatio;
  return absl::InvalidArgumentError(
      absl::StrCat("gates.of is \"", of, "\", must be delta, ratio or value"));
}

absl::StatusOr<Gate> ParseGate(const v1::EvalGate& spec) {
  Gate gate;
  gate.metric = spec.metric();
  TY_ASSIGN_OR_RETURN(gate.of, ParseGateOf(spec.of()));
  if (spec.has_min()) gate.min = spec.min();
  if (spec.has_max()) gate.max = spec.max();
  if (spec.has_ci_low_min()) gate.ci_low_min = spec.ci_low_min();
  if (spec.has_ci_high_max()) gate.ci_high_max = spec.ci_high_max();
  return gate;
}

absl::StatusOr<EvalJob> ParseEval(const v1::EvalSpec& spec, const SpecReader& reader) {
  EvalJob job;
  for (const v1::EvalModel& model : spec.models()) {
    TY_ASSIGN_OR_RETURN(job.models.emplace_back(), reader.Model(model.model(), model.name()));
    job.models.back().baseline = model.baseline();
  }
  if (job.models.empty()) return absl::InvalidArgumentError("eval.models is empty");
  TY_ASSIGN_OR_RETURN(job.prompts, reader.Prompts(spec, job.models.front().directory));
  job.scored = spec.has_reward();
  for (const v1::EvalMetric& metric : spec.metrics()) {
    MetricJob parsed;
    parsed.name = metric.name();
    TY_ASSIGN_OR_RETURN(parsed.kind, MetricKindFromName(metric.kind()));
    if (metric.has_file()) {
      TY_ASSIGN_OR_RETURN(parsed.path,
                          reader.Path(metric.file(), absl::StrCat("metric ", metric.name())));
    }
    job.metrics.push_back(std::move(parsed));
  }
  for (const v1::EvalGate& gate : spec.gates()) {
    TY_ASSIGN_OR_RETURN(job.gates.emplace_back(), ParseGate(gate));
  }
  if (spec.bootstrap_resamples() > 0) job.bootstrap.resamples = spec.bootstrap_resamples();
  job.bootstrap.seed = reader.job_seed();
  TY_ASSIGN_OR_RETURN(job.text, reader.Rows(spec.text(), "text"));
  for (const v1::EvalTask& task : spec.tasks()) {
    TY_ASSIGN_OR_RETURN(job.tasks.emplace_back(), reader.Task(task));
  }
  return job;
}

}  // namespace

absl::StatusOr<std::variant<GenerateJob, EvalJob>> ParseJob(const task::Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(const v1::JobSpec spec, task::JobSpecOf(assignment));
  const SpecReader reader(assignment, spec.seed());
  if (spec.has_generate()) return ParseGenerate(spec.generate(), reader);
  if (spec.has_eval()) return ParseEval(spec.eval(), reader);
  return absl::InvalidArgumentError("trainyard-eval runs eval and generate jobs, this is another");
}

}  // namespace trainyard::eval
