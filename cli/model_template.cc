#include "cli/model_template.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/artifact_copy.h"
#include "tokenizer/chat_files.h"

namespace trainyard::cli {

absl::StatusOr<std::optional<v1::ChatTemplate>> RecordedTemplate(const std::string& directory) {
  TY_ASSIGN_OR_RETURN(const std::optional<tokenizer::ChatTemplateSpec> spec,
                      tokenizer::OwnChatTemplate(directory));
  if (!spec.has_value()) return std::nullopt;
  v1::ChatTemplate wire;
  wire.set_end_of_turn(spec->end_of_turn);
  if (!spec->name.empty()) {
    wire.set_name(spec->name);
    return wire;
  }
  wire.set_name("custom");
  for (const auto& [role, format] : spec->roles) {
    v1::RoleTemplate* const added = wire.add_roles();
    added->set_role(role);
    added->set_prefix(format.prefix);
    added->set_suffix(format.suffix);
  }
  return wire;
}

absl::StatusOr<std::string> ModelDirectory(const std::string& model, const Roots& roots,
                                           Client& client) {
  std::string uri = model;
  if (!absl::StrContains(model, "://")) {
    TY_ASSIGN_OR_RETURN(const v1::Artifact artifact, FindArtifact(client, model));
    uri = artifact.uri();
  }
  return roots.ResolveExisting(uri);
}

absl::StatusOr<std::optional<v1::ChatTemplate>> ChooseTemplate(const std::string& flag,
                                                               const std::string& model,
                                                               const Roots& roots,
                                                               Client& client) {
  if (flag == "none") return std::nullopt;
  if (!flag.empty()) {
    v1::ChatTemplate named;
    named.set_name(flag);
    return named;
  }
  TY_ASSIGN_OR_RETURN(const std::string directory, ModelDirectory(model, roots, client));
  return RecordedTemplate(directory);
}

}  // namespace trainyard::cli
