#include "spec/fields.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "task/job_spec.h"

namespace trainyard::spec {
namespace {

constexpr char kAssistant[] = "assistant";
constexpr char kRows[] = ".jsonl";

}  // namespace

absl::StatusOr<std::string> RowsFile(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.path().extension() == kRows) found.push_back(entry.path().string());
  }
  if (error) return ErrnoStatus(error.value(), path);
  if (found.size() == 1) return found[0];
  return absl::NotFoundError(
      absl::StrCat(path, " holds ", found.size(), " files *", kRows, ", must hold one"));
}

std::string NameOf(const v1::FileRef& file) {
  return file.source_case() == v1::FileRef::kArtifact ? file.artifact() : file.uri();
}

absl::StatusOr<data::SourceSpec> ParseRows(const v1::DataSource& source, absl::string_view what,
                                           const task::Assignment& assignment) {
  data::SourceSpec parsed;
  parsed.name = NameOf(source.file());
  TY_ASSIGN_OR_RETURN(std::string path, task::ResolveFile(source.file(), what, assignment));
  TY_ASSIGN_OR_RETURN(path, RowsFile(path));
  TY_ASSIGN_OR_RETURN(parsed.format, data::ResolveSourceFormat(source.format(), path));
  parsed.paths = {std::move(path)};
  parsed.groups.assign(source.groups().begin(), source.groups().end());
  return parsed;
}

absl::StatusOr<tokenizer::ChatTemplateSpec> ParseChatTemplate(const v1::ChatTemplate& wire) {
  if (wire.name() != "custom") {
    return tokenizer::NamedChatTemplate(wire.name(), wire.end_of_turn());
  }
  tokenizer::ChatTemplateSpec spec;
  spec.end_of_turn = wire.end_of_turn();
  for (const v1::RoleTemplate& role : wire.roles()) {
    tokenizer::RoleFormat format = {role.prefix(), role.suffix()};
    if (role.role() == kAssistant && !absl::StrContains(format.suffix, spec.end_of_turn)) {
      format.suffix = spec.end_of_turn + format.suffix;
    }
    if (!spec.roles.emplace(role.role(), std::move(format)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("chat_template.roles has \"", role.role(), "\" twice"));
    }
  }
  return spec;
}

absl::StatusOr<int32_t> TokenOf(const tokenizer::Tokenizer& tokenizer, const std::string& text,
                                absl::string_view field) {
  if (const auto added = tokenizer.AddedId(text); added.has_value()) return *added;
  const std::vector<tokenizer::TokenId> ids = tokenizer.Encode(text);
  if (ids.size() == 1) return ids[0];
  return absl::InvalidArgumentError(absl::StrCat(field, " names the token \"", text,
                                                 "\", which is ", ids.size(),
                                                 " tokens of this tokenizer"));
}

}  // namespace trainyard::spec
