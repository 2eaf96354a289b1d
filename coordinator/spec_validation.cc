#include "coordinator/spec_validation.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "coordinator/spec_roles.h"
#include "coordinator/spec_shape.h"

namespace trainyard::coordinator {
namespace {

constexpr int kMaxTasksPerJob = 4096;
constexpr int kMaxStages = 256;
constexpr size_t kMaxLabels = 64;

void ValidateResources(const v1::Resources& resources, SpecChecks checks) {
  checks.Within("gpus", resources.gpus(), 0, 1);
  checks.Within("cpu_milli", static_cast<double>(resources.cpu_milli()), 0, 1e9);
  checks.AtLeast("memory_bytes", static_cast<double>(resources.memory_bytes()), 0);
  checks.Within("gpu_memory_fraction", resources.gpu_memory_fraction(), 0, 1);
  if (resources.gpu_memory_fraction() > 0 && resources.device_group().empty()) {
    checks.Violation("device_group", "is missing; tasks that share a device name their group");
  }
}

void ValidateRole(const v1::RoleSpec& role, const std::vector<RoleRule>& rules, SpecChecks checks) {
  std::vector<std::string> names;
  for (const RoleRule& rule : rules) names.push_back(rule.name);
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const RoleRule& r) { return r.name == role.name(); });
  if (rule == rules.end()) {
    checks.Violation("name", absl::StrCat("is \"", role.name(), "\"; this kind has the roles ",
                                          absl::StrJoin(names, ", ")));
    return;
  }
  checks.AtLeast("count", role.count(), 0);
  if (rule->fixed_count > 0 && role.count() != 0 && role.count() != rule->fixed_count) {
    checks.Violation("count", absl::StrCat("is ", role.count(), ", but a ", role.name(),
                                           " of this job is ", rule->fixed_count));
  }
  if (role.count() > kMaxTasksPerJob) {
    checks.Violation("count", absl::StrCat("is ", role.count(), ", a job has at most ",
                                           kMaxTasksPerJob, " tasks"));
  }
  checks.AtLeast("min_count", role.min_count(), 0);
  if (role.min_count() > 0 && !rule->elastic) {
    checks.Violation("min_count", absl::StrCat("is only for elastic roles; ", role.name(),
                                               " starts whole or not at all"));
  } else if (role.count() > 0 && role.min_count() > role.count()) {
    checks.Violation("min_count",
                     absl::StrCat("is ", role.min_count(), ", more than count ", role.count()));
  }
  checks.Within("threads", role.threads(), 0, 1024);
  ValidateResources(role.resources(), checks.Under("resources"));
}

void ValidateRoles(const v1::JobSpec& spec, SpecChecks checks) {
  const std::vector<RoleRule> rules = RoleRulesOf(spec);
  std::set<std::string> seen;
  for (int i = 0; i < spec.roles_size(); ++i) {
    SpecChecks here = checks.Under("roles", i);
    if (!seen.insert(spec.roles(i).name()).second) {
      here.Violation("name", absl::StrCat("\"", spec.roles(i).name(), "\" is given twice"));
    }
    ValidateRole(spec.roles(i), rules, here);
  }
}

void ValidateFake(const v1::FakeSpec& spec, SpecChecks checks) {
  checks.AtLeast("steps", static_cast<double>(spec.steps()), 1);
  checks.Within("step_seconds", spec.step_seconds(), 0, 86400);
  checks.AtLeast("checkpoint_every", static_cast<double>(spec.checkpoint_every()), 0);
  checks.AtLeast("fail_at_step", static_cast<double>(spec.fail_at_step()), 0);
  checks.AtLeast("hang_at_step", static_cast<double>(spec.hang_at_step()), 0);
  checks.Within("checkpoint_bytes", static_cast<double>(spec.checkpoint_bytes()), 0, 1e12);
}

void ValidateKind(const v1::JobSpec& spec, SpecChecks checks) {
  const SpecChecks at = checks.Under(KindOf(spec));
  switch (spec.kind_case()) {
    case v1::JobSpec::kPretrain:
      return ValidatePretrain(spec.pretrain(), at);
    case v1::JobSpec::kSft:
      return ValidateSft(spec.sft(), at);
    case v1::JobSpec::kRewardModel:
      return ValidateRewardModel(spec.reward_model(), at);
    case v1::JobSpec::kPpo:
      return ValidatePpo(spec.ppo(), at);
    case v1::JobSpec::kTokenizer:
      return ValidateTokenizer(spec.tokenizer(), at);
    case v1::JobSpec::kTokenize:
      return ValidateTokenize(spec.tokenize(), at);
    case v1::JobSpec::kGenerate:
      return ValidateGenerate(spec.generate(), at);
    case v1::JobSpec::kEval:
      return ValidateEval(spec.eval(), at);
    case v1::JobSpec::kFake:
      return ValidateFake(spec.fake(), at);
    case v1::JobSpec::KIND_NOT_SET:
      checks.Violation("",
                       "the job has no kind; give one of pretrain, sft, reward_model, ppo, "
                       "tokenizer, tokenize, generate, eval, fake");
  }
}

void ValidateSpec(const v1::JobSpec& spec, SpecChecks checks) {
  if (!spec.name().empty()) {
    const absl::Status name = ValidateName("name", spec.name());
    if (!name.ok()) {
      checks.Violation("name", absl::StrCat("is \"", spec.name(),
                                            "\", must be 1..63 of [a-z0-9-], start with a letter "
                                            "and not end with '-'"));
    }
  }
  ValidateKind(spec, checks);
  if (spec.kind_case() != v1::JobSpec::KIND_NOT_SET) ValidateRoles(spec, checks);
  if (!spec.run_uri().empty()) checks.RootUri("run_uri", spec.run_uri());
  checks.Within("priority", spec.priority(), -1000, 1000);
  checks.Within("max_attempts", spec.max_attempts(), 0, 1000);
  checks.AtLeast("max_duration_seconds", spec.max_duration_seconds(), 0);
  for (int i = 0; i < spec.after_size(); ++i) {
    if (spec.after(i).empty()) checks.Under("after", i).Violation("", "is empty; name a job");
  }
  if (spec.labels().size() > kMaxLabels) {
    checks.Violation("labels",
                     absl::StrCat("are ", spec.labels().size(), ", at most ", kMaxLabels));
  }
  for (const auto& [key, value] : spec.labels()) {
    if (key.empty() || key.size() > 63 || value.size() > 255) {
      checks.Violation("labels", absl::StrCat("\"", key,
                                              "\": a key has 1..63 characters, a value "
                                              "at most 255"));
    }
  }
}

// Names of stages that `stage` waits for, as far as they are stages of this pipeline.
std::set<std::string> Upstream(const v1::JobSpec& stage) {
  std::set<std::string> names(stage.after().begin(), stage.after().end());
  for (const ArtifactInput& input : InputsOf(stage)) names.insert(input.job);
  return names;
}

void ValidateReferences(const v1::PipelineSpec& spec, SpecChecks checks) {
  std::set<std::string> stages;
  for (const v1::JobSpec& stage : spec.stages()) stages.insert(stage.name());
  std::map<std::string, std::set<std::string>> open;
  for (int i = 0; i < spec.stages_size(); ++i) {
    SpecChecks here = checks.Under("stages", i);
    for (const ArtifactInput& input : InputsOf(spec.stages(i))) {
      if (absl::StartsWith(input.reference, "jobs/") || stages.count(input.job) > 0) continue;
      const std::string nearest = NearestName(input.job, stages);
      here.Violation(
          "",
          absl::StrCat("reads \"", input.reference, "\", but there is no stage \"", input.job, "\"",
                       nearest.empty() ? "" : absl::StrCat(" (did you mean \"", nearest, "\"?)")));
    }
    for (const std::string& name : Upstream(spec.stages(i))) {
      if (stages.count(name) > 0) open[spec.stages(i).name()].insert(name);
    }
  }
  // Take away stages that wait for nothing that is left; what stays waits in a circle.
  bool progress = true;
  while (progress) {
    progress = false;
    for (const std::string& name : stages) {
      if (open.count(name) > 0 && open[name].empty()) open.erase(name);
    }
    for (auto& [name, waits] : open) {
      for (auto it = waits.begin(); it != waits.end();) {
        const bool done = open.count(*it) == 0;
        it = done ? waits.erase(it) : std::next(it);
        progress = progress || done;
      }
    }
  }
  std::vector<std::string> circle;
  for (const auto& [name, waits] : open) {
    if (!waits.empty()) circle.push_back(name);
  }
  if (!circle.empty()) {
    checks.Violation(
        "stages", absl::StrCat("wait for one another in a circle: ", absl::StrJoin(circle, ", ")));
  }
}

}  // namespace

std::string KindOf(const v1::JobSpec& spec) {
  if (spec.kind_case() == v1::JobSpec::KIND_NOT_SET) return "";
  return v1::JobSpec::descriptor()->FindFieldByNumber(spec.kind_case())->name();
}

std::vector<rpc::FieldViolation> ValidateJob(const v1::JobSpec& spec) {
  std::vector<rpc::FieldViolation> violations;
  ValidateSpec(spec, SpecChecks("", &violations));
  return violations;
}

std::vector<rpc::FieldViolation> ValidatePipeline(const v1::PipelineSpec& spec) {
  std::vector<rpc::FieldViolation> violations;
  SpecChecks checks("", &violations);
  if (!spec.name().empty() && !ValidateName("name", spec.name()).ok()) {
    checks.Violation("name", absl::StrCat("is \"", spec.name(), "\", must be 1..63 of [a-z0-9-]"));
  }
  if (!spec.run_uri().empty()) checks.RootUri("run_uri", spec.run_uri());
  checks.Within("stages", spec.stages_size(), 1, kMaxStages);
  std::set<std::string> names;
  for (int i = 0; i < spec.stages_size(); ++i) {
    SpecChecks here = checks.Under("stages", i);
    if (spec.stages(i).name().empty()) {
      here.Violation("name", "is missing; a stage is referred to by its name");
    } else if (!names.insert(spec.stages(i).name()).second) {
      here.Violation("name", absl::StrCat("\"", spec.stages(i).name(), "\" is used by two stages"));
    }
    ValidateSpec(spec.stages(i), here);
  }
  ValidateReferences(spec, checks);
  return violations;
}

absl::Status ViolationsStatus(const std::vector<rpc::FieldViolation>& violations) {
  if (violations.empty()) return absl::OkStatus();
  const std::string text =
      absl::StrJoin(violations, "; ", [](std::string* out, const rpc::FieldViolation& violation) {
        const bool bare = violation.field.empty();
        absl::StrAppend(out, violation.field, bare ? "" : " ", violation.message);
      });
  return rpc::WithDetail(
      absl::InvalidArgumentError(text),
      {.reason = "SPEC_INVALID",
       .violations = violations,
       .remedy = "correct these fields and submit again; docs/jobs.md describes each"});
}

}  // namespace trainyard::coordinator
