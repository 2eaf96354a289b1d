#include "cli/spec_file.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "cli/yaml_message.h"

namespace trainyard::cli {
namespace {

absl::StatusOr<YAML::Node> LoadOneDocument(const std::string& text, const std::string& file) {
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":", error.mark.line + 1, ": not YAML: ", error.msg));
  }
  if (documents.empty() || documents[0].IsNull()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": is empty; see examples/specs for one file of each kind"));
  }
  if (documents.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": holds ", documents.size(),
                     " documents; submit one file per job, or one pipeline with `stages`"));
  }
  return documents[0];
}

template <typename Message>
absl::StatusOr<Spec> Convert(const YAML::Node& root, const YamlOrigin& origin) {
  Message message;
  TY_RETURN_IF_ERROR(YamlToMessage(root, origin, &message));
  return Spec(std::move(message));
}

}  // namespace

absl::StatusOr<Spec> ParseSpec(const std::string& text, const std::string& file,
                               const std::vector<std::string>& overrides) {
  TY_ASSIGN_OR_RETURN(YAML::Node root, LoadOneDocument(text, file));
  YamlOrigin origin{file, {}};
  for (const std::string& assignment : overrides) {
    TY_RETURN_IF_ERROR(ApplyOverride(assignment, root, &origin));
  }
  const bool is_pipeline = root.IsMap() && root["stages"].IsDefined();
  return is_pipeline ? Convert<v1::PipelineSpec>(root, origin) : Convert<v1::JobSpec>(root, origin);
}

absl::StatusOr<Spec> ReadSpecFile(const std::string& file,
                                  const std::vector<std::string>& overrides) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": is a directory; name one YAML file"));
  }
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  return ParseSpec(text, file, overrides);
}

}  // namespace trainyard::cli
