#include <iostream>
#include <memory>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/artifact_copy.h"
#include "cli/local_cluster.h"
#include "cli/model_template.h"
#include "cli/report_text.h"
#include "cli/run_job.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct EvalOptions {
  std::vector<std::string> models;
  std::string baseline;
  std::string prompts;
  std::vector<std::string> metrics;
  int64_t limit = 0;
  SamplingFlags sampling;
  std::vector<std::string> roots;
};

// NAME=VALUE; a text without '=' is an error that shows the form.
absl::StatusOr<std::pair<std::string, std::string>> Pair(const std::string& text,
                                                         absl::string_view form) {
  std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (parts.first.empty() || parts.second.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" must be ", form));
  }
  return parts;
}

absl::Status CheckBaseline(const std::string& baseline, const v1::EvalSpec& spec) {
  std::vector<std::string> names;
  for (const v1::EvalModel& model : spec.models()) names.push_back(model.name());
  if (baseline.empty() || absl::c_linear_search(names, baseline)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--baseline ", baseline, " is none of the models given (", absl::StrJoin(names, ", "), ")"));
}

absl::StatusOr<v1::JobSpec> SpecOf(const EvalOptions& options, const Roots& roots, Client& client) {
  v1::JobSpec spec;
  v1::EvalSpec* eval = spec.mutable_eval();
  for (const std::string& text : options.models) {
    TY_ASSIGN_OR_RETURN(const auto named, Pair(text, "NAME=root://... or NAME=JOB/OUTPUT"));
    v1::EvalModel* model = eval->add_models();
    model->set_name(named.first);
    TY_ASSIGN_OR_RETURN(*model->mutable_model(), FindFile(client, named.second));
    model->set_baseline(named.first == options.baseline);
    if (eval->models_size() > 1) continue;
    TY_ASSIGN_OR_RETURN(const auto chat_template, ChooseTemplate(options.sampling.chat_template,
                                                                 named.second, roots, client));
    if (chat_template.has_value()) *eval->mutable_chat_template() = *chat_template;
  }
  for (const std::string& text : options.metrics) {
    TY_ASSIGN_OR_RETURN(const auto named, Pair(text, "KIND=FILE, or NAME=KIND"));
    v1::EvalMetric* metric = eval->add_metrics();
    metric->set_name(named.first);
    const bool has_file = named.second.find('/') != std::string::npos;
    metric->set_kind(has_file ? named.first : named.second);
    if (has_file) {
      TY_ASSIGN_OR_RETURN(*metric->mutable_file(), FindFile(client, named.second));
    }
  }
  TY_RETURN_IF_ERROR(CheckBaseline(options.baseline, *eval));
  TY_ASSIGN_OR_RETURN(*eval->add_prompts()->mutable_file(), FindFile(client, options.prompts));
  eval->set_limit(options.limit);
  TY_ASSIGN_OR_RETURN(*eval->mutable_sampling(), SamplingOf(options.sampling));
  return spec;
}

absl::StatusOr<int> Eval(const Globals& globals, const EvalOptions& options) {
  TY_ASSIGN_OR_RETURN(Client client, Connect(globals));
  TY_ASSIGN_OR_RETURN(const Roots roots, RootsOf(client.address(), options.roots));
  TY_ASSIGN_OR_RETURN(const v1::JobSpec spec, SpecOf(options, roots, client));
  int exit_code = kExitOk;
  const auto job = RunJob(client, spec, &exit_code);
  if (absl::IsAborted(job.status()) && exit_code != kExitOk) return exit_code;
  TY_RETURN_IF_ERROR(job.status());
  TY_ASSIGN_OR_RETURN(const std::string text, ReadOutput(*job, "report", "report.json", roots));
  TY_ASSIGN_OR_RETURN(const Json report, ParseJson(text, "report.json"));
  std::cout << (globals.output == "json" ? report.dump(2) + "\n" : ReportText(report));
  return kExitOk;
}

}  // namespace

void AddEval(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "eval",
                           "Run an eval job from flags, wait for it and print its measures",
                           "trainyard eval sft=my-sft/model ppo=my-ppo/policy --baseline sft "
                           "--prompts root://data/test.jsonl --metric variety=distinct_2");
  const auto options = std::make_shared<EvalOptions>();
  verb->add_option("MODEL", options->models,
                   "NAME=root://NAME/path, NAME=JOB/OUTPUT or NAME=PIPELINE/STAGE/OUTPUT; the "
                   "first one's chat template is used for all")
      ->required();
  verb->add_option("--baseline", options->baseline, "name of the model to compare with");
  verb->add_option("--prompts", options->prompts, "JSONL: root://NAME/path or JOB/OUTPUT")
      ->required();
  verb->add_option("--metric", options->metrics, "NAME=KIND, or KIND=FILE where it needs one")
      ->allow_extra_args(false);
  verb->add_option("--limit", options->limit, "only so many rows");
  AddSamplingFlags(verb, &options->sampling);
  verb->add_option("--root", options->roots,
                   "NAME=DIRECTORY where a root is mounted here (known for `trainyard up`)")
      ->allow_extra_args(false);
  SetBody(verb, globals, [globals, options] { return Eval(*globals, *options); });
}

}  // namespace trainyard::cli
