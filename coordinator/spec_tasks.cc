// Rules of eval.tasks: benchmarks with right answers.

#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/spec_validation.h"

namespace trainyard::coordinator {
namespace {

constexpr double kMaxShots = 1000;
constexpr double kMaxNewTokens = 1 << 20;

void ValidateRows(absl::string_view field,
                  const google::protobuf::RepeatedPtrField<v1::DataSource>& sources,
                  SpecChecks checks) {
  for (int i = 0; i < sources.size(); ++i) {
    SpecChecks here = checks.Under(field, i);
    ValidateSource(sources[i], here);
    if (!sources[i].format().empty() && sources[i].format() != "jsonl") {
      here.Violation("format", absl::StrCat("is ", sources[i].format(), ", must be jsonl"));
    }
    if (sources[i].weight() != 0) here.Violation("weight", "is not for tasks; leave it out");
    if (sources[i].token_budget() != 0) {
      here.Violation("token_budget", "is not for tasks; leave it out");
    }
  }
}

// Fields that only the other kind has: given, they would have no effect.
void ValidateKindFields(const v1::EvalTask& task, SpecChecks checks) {
  if (task.kind() == "exact_match") {
    if (!task.choices().empty()) checks.Violation("choices", "is only for multiple_choice");
    if (task.prompt().empty()) checks.Violation("prompt", "is missing");
    checks.Within("max_new_tokens", task.max_new_tokens(), 0, kMaxNewTokens);
    for (int i = 0; i < task.stop_size(); ++i) {
      if (task.stop(i).empty()) checks.Under("stop", i).Violation("", "is empty");
    }
    return;
  }
  if (task.kind() != "multiple_choice") return;
  const char kOnly[] = "is only for exact_match";
  if (!task.answer_pattern().empty()) checks.Violation("answer_pattern", kOnly);
  if (task.ignore_case()) checks.Violation("ignore_case", kOnly);
  if (task.ignore_punctuation()) checks.Violation("ignore_punctuation", kOnly);
  if (task.max_new_tokens() != 0) checks.Violation("max_new_tokens", kOnly);
  if (task.stop_size() > 0) checks.Violation("stop", kOnly);
}

void ValidateShots(const v1::EvalTask& task, SpecChecks checks) {
  checks.Within("shots", task.shots(), 0, kMaxShots);
  ValidateRows("examples", task.examples(), checks);
  if (task.shots() > 0) return;
  const char kWithout[] = "is given, but shots is 0: there is no worked example";
  if (task.examples_size() > 0) checks.Violation("examples", kWithout);
  if (task.has_shots_seed()) checks.Violation("shots_seed", kWithout);
  if (!task.reasoning().empty()) checks.Violation("reasoning", kWithout);
}

// Each "{" that is not doubled must be closed.
void CheckBraces(absl::string_view field, absl::string_view text, SpecChecks checks) {
  for (size_t at = text.find('{'); at != text.npos; at = text.find('{', at)) {
    const bool doubled = at + 1 < text.size() && text[at + 1] == '{';
    const size_t end = doubled ? at + 1 : text.find('}', at);
    if (end == text.npos) return checks.Violation(field, "has a { without }; {{ is a brace");
    at = end + 1;
  }
}

void ValidateTask(const v1::EvalTask& task, bool has_template, SpecChecks checks) {
  checks.OneOf("kind", task.kind(), {"exact_match", "multiple_choice"});
  if (task.items().empty()) checks.Violation("items", "is empty; name at least one file");
  ValidateRows("items", task.items(), checks);
  checks.AtLeast("limit", static_cast<double>(task.limit()), 0);
  if (task.target().empty()) {
    checks.Violation("target", "is missing; \"{answer}\" is a row's field");
  }
  CheckBraces("prompt", task.prompt(), checks);
  CheckBraces("target", task.target(), checks);
  CheckBraces("description", task.description(), checks);
  CheckBraces("reasoning", task.reasoning(), checks);
  if (task.chat() && !has_template) {
    checks.Violation("chat", "is set, but eval.chat_template is missing");
  }
  ValidateKindFields(task, checks);
  ValidateShots(task, checks);
}

}  // namespace

void ValidateEvalTasks(const v1::EvalSpec& spec, SpecChecks checks) {
  std::set<std::string> names = {"text_perplexity", "bits_per_byte"};
  for (const v1::EvalMetric& metric : spec.metrics()) names.insert(metric.name());
  for (int i = 0; i < spec.tasks_size(); ++i) {
    const v1::EvalTask& task = spec.tasks(i);
    SpecChecks here = checks.Under("tasks", i);
    if (task.name().empty()) here.Violation("name", "is missing");
    std::vector<std::string> metrics = {task.name()};
    if (task.kind() == "multiple_choice") metrics.push_back(task.name() + "_norm");
    for (const std::string& metric : metrics) {
      if (names.insert(metric).second) continue;
      here.Violation("name", absl::StrCat("gives the metric \"", metric,
                                          "\", which another task or metric has; rename one"));
    }
    ValidateTask(task, spec.has_chat_template() && !spec.chat_template().name().empty(), here);
  }
}

}  // namespace trainyard::coordinator
