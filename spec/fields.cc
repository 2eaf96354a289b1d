#include "spec/fields.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/input_file.h"
#include "base/status.h"
#include "task/job_spec.h"
#include "tokenizer/chat_files.h"

namespace trainyard::spec {
namespace {

constexpr char kAssistant[] = "assistant";
constexpr char kRows[] = ".jsonl";
constexpr char kCustom[] = "custom";
constexpr char kAuto[] = "auto";

absl::StatusOr<tokenizer::ChatTemplateSpec> OwnTemplate(const std::string& directory) {
  TY_ASSIGN_OR_RETURN(const auto own, tokenizer::OwnChatTemplate(directory));
  if (own.has_value()) return *own;
  return absl::InvalidArgumentError(absl::StrCat(
      directory, " has no chat template of its own; name one in chat_template.name: ",
      tokenizer::ChatTemplateNames(), ", or custom with roles"));
}

// A template that its name or the tokenizer's directory says.
absl::StatusOr<tokenizer::ChatTemplateSpec> KnownTemplate(const v1::ChatTemplate& wire,
                                                          const std::string& directory) {
  if (wire.name().empty() || wire.name() == kAuto) return OwnTemplate(directory);
  TY_ASSIGN_OR_RETURN(tokenizer::ChatTokens tokens, tokenizer::ReadChatTokens(directory));
  if (!wire.end_of_turn().empty()) tokens.end = wire.end_of_turn();
  TY_ASSIGN_OR_RETURN(tokenizer::ChatTemplateSpec spec,
                      tokenizer::NamedChatTemplate(wire.name(), tokens));
  if (wire.end_of_turn().empty() || wire.end_of_turn() == spec.end_of_turn) return spec;
  return absl::InvalidArgumentError(
      absl::StrCat("chat_template.end_of_turn is \"", wire.end_of_turn(), "\", but \"",
                   wire.name(), "\" ends turns with \"", spec.end_of_turn, "\": leave it out"));
}

}  // namespace

absl::StatusOr<std::string> RowsFile(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string file = entry.path().string();
    if (absl::EndsWith(WithoutCompression(file), kRows)) found.push_back(file);
  }
  if (error) return ErrnoStatus(error.value(), path);
  if (found.size() == 1) return found[0];
  return absl::NotFoundError(
      absl::StrCat(path, " holds ", found.size(), " files *", kRows,
                   " (or *.jsonl.gz, *.jsonl.zst), must hold one"));
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

absl::StatusOr<tokenizer::ChatTemplateSpec> ParseChatTemplate(
    const v1::ChatTemplate& wire, const std::string& tokenizer_directory) {
  if (wire.name() != kCustom) return KnownTemplate(wire, tokenizer_directory);
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

absl::Status CheckRecomputable(const v1::SamplingSpec& sampling, absl::string_view field) {
  absl::string_view changed;
  if (Or(sampling.repetition_penalty(), 1.0) != 1) changed = "repetition_penalty";
  if (sampling.presence_penalty() != 0) changed = "presence_penalty";
  if (sampling.frequency_penalty() != 0) changed = "frequency_penalty";
  if (sampling.logit_bias_size() > 0) changed = "logit_bias";
  if (sampling.allowed_tokens_size() > 0) changed = "allowed_tokens";
  if (sampling.best_of() > 0) changed = "best_of";
  if (sampling.has_beam()) changed = "beam";
  if (changed.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ".", changed,
                   " is set: PPO's learners do not recompute what it does to the policy; leave "
                   "it out"));
}

}  // namespace trainyard::spec
