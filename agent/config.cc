#include "agent/config.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <functional>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/port_range.h"
#include "base/status.h"
#include "rpc/server.h"

namespace trainyard::agent {
namespace {

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  return absl::AsciiStrToLower(name);
}

// Reads one document; the first error stays.
class Reader {
 public:
  Reader(const YAML::Node& root, absl::string_view document)
      : root_(root), document_(document) {}

  void Read(const char* field, std::string* value) { ReadScalar(field, "a text", value); }
  void Read(const char* field, int64_t* value) { ReadScalar(field, "a whole number", value); }
  void Read(const char* field, double* value) { ReadScalar(field, "a number", value); }
  void Read(const char* field, bool* value) { ReadScalar(field, "true or false", value); }

  void Read(const char* field, std::map<std::string, std::string>* value) {
    const YAML::Node node = Find(field);
    if (!node) return;
    if (!node.IsMap()) return Refuse(node, absl::StrCat(field, " must be a map of names to texts"));
    for (const auto& entry : node) {
      if (!entry.second.IsScalar()) {
        return Refuse(entry.second, absl::StrCat(field, ".", entry.first.Scalar(),
                                                 " must be a text"));
      }
      (*value)[entry.first.Scalar()] = entry.second.Scalar();
    }
  }

  // The first thing wrong, unknown fields included.
  absl::Status Finish() {
    for (const auto& entry : root_) {
      const std::string name = entry.first.Scalar();
      if (absl::c_linear_search(known_, name)) continue;
      const std::string nearest = NearestName(name, known_);
      Refuse(entry.first,
             absl::StrCat("unknown field \"", name, "\"",
                          nearest.empty()
                              ? absl::StrCat(" (known: ", absl::StrJoin(known_, ", "), ")")
                              : absl::StrCat("; did you mean \"", nearest, "\"?")));
    }
    return status_;
  }

 private:
  YAML::Node Find(const char* field) {
    known_.push_back(field);
    return root_[field];
  }

  template <typename T>
  void ReadScalar(const char* field, absl::string_view wanted, T* value) {
    const YAML::Node node = Find(field);
    if (!node) return;
    if (!node.IsScalar() || !YAML::convert<T>::decode(node, *value)) {
      Refuse(node, absl::StrCat(field, " must be ", wanted));
    }
  }

  void Refuse(const YAML::Node& node, absl::string_view why) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(document_, ":", node.Mark().line + 1, ": ", why));
  }

  const YAML::Node root_;
  const std::string document_;
  std::vector<std::string> known_;
  absl::Status status_;
};

absl::Status Validate(const AgentConfig& config, absl::string_view document) {
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": ", why));
  };
  TY_RETURN_IF_ERROR(Annotate(ValidateName("node", config.node), document));
  TY_RETURN_IF_ERROR(
      Annotate(rpc::ParseAddress(config.coordinator).status(), absl::StrCat(document,
                                                                            ": coordinator")));
  TY_RETURN_IF_ERROR(Annotate(ParsePortRange(config.task_ports).status(),
                              absl::StrCat(document, ": task_ports")));
  if (config.work_dir.empty()) return refuse("work_dir is missing: a directory for running tasks");
  if (config.cpu_milli < 0 || config.memory_bytes < 0) {
    return refuse("cpu_milli and memory_bytes must not be negative (0 = the machine's)");
  }
  for (const auto& [name, path] : config.roots) {
    TY_RETURN_IF_ERROR(Annotate(ValidateName("root", name), document));
    if (!absl::StartsWith(path, "/")) {
      return refuse(absl::StrCat("root ", name, ": \"", path, "\" is not an absolute path"));
    }
  }
  for (const auto& [name, value] : config.collective_env) {
    if (!absl::StartsWith(name, "NCCL_") && !absl::StartsWith(name, "GLOO_") &&
        !absl::StartsWith(name, "UCX_")) {
      return refuse(absl::StrCat("collective_env.", name,
                                 " is not allowed: only NCCL_*, GLOO_* and UCX_* are"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AgentConfig> ParseAgentConfig(absl::string_view yaml, absl::string_view document) {
  AgentConfig config;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsMap()) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": not a map of fields"));
    }
    Reader reader(root, document);
    double drain_seconds = absl::ToDoubleSeconds(config.drain);
    config.node = HostName();
    reader.Read("node", &config.node);
    reader.Read("coordinator", &config.coordinator);
    reader.Read("advertise", &config.advertise);
    reader.Read("task_ports", &config.task_ports);
    reader.Read("work_dir", &config.work_dir);
    reader.Read("roots", &config.roots);
    reader.Read("labels", &config.labels);
    reader.Read("cpu_milli", &config.cpu_milli);
    reader.Read("memory_bytes", &config.memory_bytes);
    reader.Read("gpus", &config.gpus);
    reader.Read("collective_env", &config.collective_env);
    reader.Read("drain_seconds", &drain_seconds);
    TY_RETURN_IF_ERROR(reader.Finish());
    config.drain = absl::Seconds(drain_seconds);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ":", error.mark.line + 1, ": ", error.msg));
  }
  TY_RETURN_IF_ERROR(Validate(config, document));
  return config;
}

absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string yaml, ReadFile(path));
  return ParseAgentConfig(yaml, path);
}

}  // namespace trainyard::agent
