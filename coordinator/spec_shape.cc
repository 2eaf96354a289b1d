#include "coordinator/spec_shape.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "coordinator/spec_roles.h"
#include "coordinator/spec_validation.h"

namespace trainyard::coordinator {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Calls `visit` for every file reference below `message`, in the order of the fields.
void ForEachFile(const Message& message, const std::function<void(const v1::FileRef&)>& visit) {
  if (message.GetDescriptor() == v1::FileRef::descriptor()) {
    return visit(static_cast<const v1::FileRef&>(message));
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      ForEachFile(message.GetReflection()->GetMessage(message, field), visit);
      continue;
    }
    const int size = message.GetReflection()->FieldSize(message, field);
    for (int i = 0; i < size; ++i) {
      ForEachFile(message.GetReflection()->GetRepeatedMessage(message, field, i), visit);
    }
  }
}

void FillRole(const RoleRule& rule, v1::RoleSpec* role) {
  role->set_name(rule.name);
  if (role->count() == 0) role->set_count(std::max(1, rule.default_count));
  if (rule.elastic && rule.fixed_count > 0) role->set_min_count(rule.fixed_count);
  if (role->min_count() == 0 && rule.elastic) role->set_min_count(1);
  v1::Resources* resources = role->mutable_resources();
  if (resources->cpu_milli() == 0) {
    resources->set_cpu_milli(std::max<int64_t>(rule.cpu_milli, role->threads() * int64_t{1000}));
  }
  if (role->threads() == 0) {
    role->set_threads(std::max<int64_t>(1, resources->cpu_milli() / 1000));
  }
}

void FillRoles(v1::JobSpec* spec) {
  google::protobuf::RepeatedPtrField<v1::RoleSpec> given = spec->roles();
  spec->clear_roles();
  for (const RoleRule& rule : RoleRulesOf(*spec)) {
    const auto role = std::find_if(given.begin(), given.end(),
                                   [&](const v1::RoleSpec& r) { return r.name() == rule.name; });
    if (role == given.end() && rule.default_count == 0) continue;
    v1::RoleSpec* filled = spec->add_roles();
    if (role != given.end()) *filled = *role;
    FillRole(rule, filled);
  }
}

RoleShape ShapeOfRole(const v1::RoleSpec& role, bool elastic) {
  RoleShape shape;
  shape.name = role.name();
  shape.count = role.count();
  shape.min_count = elastic ? role.min_count() : role.count();
  shape.elastic = elastic;
  shape.resources = {.gpus = role.resources().gpus(),
                     .cpu_milli = role.resources().cpu_milli(),
                     .memory_bytes = role.resources().memory_bytes(),
                     .node_selector = {role.resources().node_selector().begin(),
                                       role.resources().node_selector().end()},
                     .device_group = role.resources().device_group(),
                     .gpu_memory_fraction = role.resources().gpu_memory_fraction()};
  shape.threads = role.threads();
  return shape;
}

}  // namespace

void FillDefaults(absl::string_view id, v1::JobSpec* spec) {
  if (spec->name().empty()) {
    const std::string kind = absl::StrReplaceAll(KindOf(*spec), {{"_", "-"}});
    spec->set_name(absl::StrCat(kind, "-", id.substr(id.size() > 6 ? id.size() - 6 : 0)));
  }
  FillRoles(spec);
  if (spec->run_uri().empty()) spec->set_run_uri(absl::StrCat("root://runs/", id));
  if (spec->max_attempts() == 0) spec->set_max_attempts(3);
}

void FillPipelineDefaults(absl::string_view id, v1::PipelineSpec* spec) {
  if (spec->name().empty()) spec->set_name(std::string(id));
  if (spec->run_uri().empty()) spec->set_run_uri(absl::StrCat("root://runs/", id));
  for (v1::JobSpec& stage : *spec->mutable_stages()) {
    if (stage.run_uri().empty()) {
      stage.set_run_uri(absl::StrCat(spec->run_uri(), "/", stage.name()));
    }
    FillDefaults(id, &stage);
  }
}

std::vector<ArtifactInput> InputsOf(const v1::JobSpec& spec) {
  std::vector<ArtifactInput> inputs;
  std::set<std::string> seen;
  ForEachFile(spec, [&](const v1::FileRef& file) {
    if (file.artifact().empty() || !seen.insert(file.artifact()).second) return;
    const std::vector<std::string> parts = absl::StrSplit(file.artifact(), '/');
    if (parts.size() < 2) return;
    inputs.push_back({file.artifact(), parts[parts.size() - 2], parts.back()});
  });
  return inputs;
}

std::vector<std::string> RootsOf(const v1::JobSpec& spec) {
  std::set<std::string> roots;
  ForEachFile(spec, [&](const v1::FileRef& file) {
    if (!file.uri().empty()) roots.insert(RootName(file.uri()));
  });
  if (!spec.run_uri().empty()) roots.insert(RootName(spec.run_uri()));
  return {roots.begin(), roots.end()};
}

JobShape ShapeOf(const v1::JobSpec& spec) {
  JobShape shape;
  shape.kind = KindOf(spec);
  shape.priority = spec.priority();
  const std::vector<RoleRule> rules = RoleRulesOf(spec);
  for (const v1::RoleSpec& role : spec.roles()) {
    const auto rule = std::find_if(rules.begin(), rules.end(),
                                   [&](const RoleRule& r) { return r.name == role.name(); });
    shape.roles.push_back(ShapeOfRole(role, rule != rules.end() && rule->elastic));
  }
  shape.roots = RootsOf(spec);
  shape.after.assign(spec.after().begin(), spec.after().end());
  shape.inputs = InputsOf(spec);
  shape.extend_job = spec.extend_job();
  shape.run_uri = spec.run_uri();
  shape.max_attempts = spec.max_attempts();
  if (spec.max_duration_seconds() > 0) {
    shape.max_duration = absl::Seconds(spec.max_duration_seconds());
  }
  // A fake task reads no files; its tests count starts, not preflights.
  shape.preflight = shape.kind != "fake";
  shape.labels = {spec.labels().begin(), spec.labels().end()};
  return shape;
}

}  // namespace trainyard::coordinator
