#include "cli/contexts.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/status.h"

namespace trainyard::cli {
namespace {

absl::Status Wrong(const std::string& path, const YAML::Node& node, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", node.Mark().line + 1, ": ", what));
}

std::vector<std::string> Names(const Contexts& contexts) {
  std::vector<std::string> names;
  for (const auto& [name, address] : contexts.coordinators) names.push_back(name);
  return names;
}

}  // namespace

std::string ContextsPath() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config != '\0') return absl::StrCat(config, "/trainyard/config.yaml");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "" : home, "/.config/trainyard/config.yaml");
}

absl::StatusOr<Contexts> ReadContexts(const std::string& path) {
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return Contexts();
  TY_RETURN_IF_ERROR(text.status());
  Contexts contexts;
  try {
    const YAML::Node root = YAML::Load(*text);
    for (const auto& entry : root) {
      const std::string field = entry.first.Scalar();
      if (field == "current") {
        contexts.current = entry.second.as<std::string>();
      } else if (field == "contexts" && entry.second.IsMap()) {
        for (const auto& context : entry.second) {
          const YAML::Node address = context.second["coordinator"];
          if (!address || !address.IsScalar()) {
            return Wrong(path, context.first, "a context is {coordinator: HOST:PORT}");
          }
          contexts.coordinators[context.first.Scalar()] = address.Scalar();
        }
      } else {
        return Wrong(path, entry.first,
                     absl::StrCat("unknown field \"", field, "\" (fields: current, contexts)"));
      }
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", error.mark.line + 1, ": not YAML: ", error.msg));
  }
  return contexts;
}

absl::Status WriteContexts(const Contexts& contexts, const std::string& path) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  if (!contexts.current.empty()) out << YAML::Key << "current" << YAML::Value << contexts.current;
  out << YAML::Key << "contexts" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, address] : contexts.coordinators) {
    out << YAML::Key << name << YAML::Value << YAML::BeginMap << YAML::Key << "coordinator"
        << YAML::Value << address << YAML::EndMap;
  }
  out << YAML::EndMap << YAML::EndMap;
  TY_RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path().string()));
  return WriteFileAtomically(path, std::string(out.c_str()) + "\n");
}

absl::StatusOr<std::string> ChooseCoordinator(const std::string& address, const std::string& name,
                                              const Contexts& contexts) {
  if (!address.empty()) return address;
  const std::string wanted = name.empty() ? contexts.current : name;
  if (wanted.empty()) return std::string(kDefaultCoordinator);
  const auto found = contexts.coordinators.find(wanted);
  if (found != contexts.coordinators.end()) return found->second;
  const std::vector<std::string> names = Names(contexts);
  const std::string nearest = NearestName(wanted, names);
  return absl::NotFoundError(
      absl::StrCat("there is no context \"", wanted, "\" (known: ", absl::StrJoin(names, ", "), ")",
                   nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
}

}  // namespace trainyard::cli
