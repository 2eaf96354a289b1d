#include "tokenizer/chat_files.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/chat_jinja.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kConfigFile[] = "tokenizer_config.json";
constexpr char kJinjaFile[] = "chat_template.jinja";
constexpr char kManifestFile[] = "manifest.json";
constexpr char kTemplateField[] = "chat_template";
// What transformers reads of a tokenizer, but for the template.
constexpr const char* kTokenizerFiles[] = {
    "tokenizer.json",   kConfigFile,  "special_tokens_map.json", "added_tokens.json",
    "tokenizer.model", "vocab.json", "merges.txt"};

// The file's text; nothing when it is not there.
absl::StatusOr<std::optional<std::string>> ReadOptional(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  TY_RETURN_IF_ERROR(text.status());
  return *std::move(text);
}

// The JSON object of a file; an empty one when it is not there.
absl::StatusOr<Json> ReadOptionalObject(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadOptional(path));
  if (!text.has_value()) return Json::object();
  TY_ASSIGN_OR_RETURN(Json json, ParseJson(*text, path));
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, " is no object"));
  return json;
}

// The text of an object's field; empty when it is another thing, or not there.
std::string TextOf(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A token of tokenizer_config.json: text, or {"content": text}.
std::string TokenText(const Json& config, const char* field) {
  const auto found = config.find(field);
  if (found != config.end() && found->is_object()) return TextOf(*found, "content");
  return TextOf(config, field);
}

struct OwnText {
  std::string path;
  std::string jinja;
};

absl::StatusOr<std::optional<OwnText>> ReadOwnText(const std::string& directory) {
  const std::string jinja_path = absl::StrCat(directory, "/", kJinjaFile);
  TY_ASSIGN_OR_RETURN(const std::optional<std::string> jinja, ReadOptional(jinja_path));
  if (jinja.has_value()) return OwnText{jinja_path, *jinja};
  const std::string path = absl::StrCat(directory, "/", kConfigFile);
  TY_ASSIGN_OR_RETURN(const Json config, ReadOptionalObject(path));
  const Json text = config.value(kTemplateField, Json());
  if (text.is_null()) return std::nullopt;
  if (text.is_string()) return OwnText{path, text.get<std::string>()};
  for (const Json& named : text.is_array() ? text : Json::array()) {
    if (named.is_object() && TextOf(named, "name") == "default") {
      return OwnText{path, TextOf(named, "template")};
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": ", kTemplateField, " must be a text, or a list with one named \"default\""));
}

// Of a directory that was not trained here, or of the files beside a tokenizer.
absl::StatusOr<std::optional<ChatTemplateSpec>> RecognisedTemplate(const std::string& directory) {
  TY_ASSIGN_OR_RETURN(const std::optional<OwnText> own, ReadOwnText(directory));
  if (!own.has_value()) return std::nullopt;
  TY_ASSIGN_OR_RETURN(const ChatTokens tokens, ReadChatTokens(directory));
  TY_ASSIGN_OR_RETURN(ChatTemplateSpec spec, RecogniseChatTemplate(own->jinja, tokens, own->path));
  return spec;
}

}  // namespace

absl::StatusOr<ChatTokens> ReadChatTokens(const std::string& directory) {
  TY_ASSIGN_OR_RETURN(const Json config,
                      ReadOptionalObject(absl::StrCat(directory, "/", kConfigFile)));
  return ChatTokens{TokenText(config, "bos_token"), TokenText(config, "eos_token")};
}

absl::StatusOr<std::optional<ChatTemplateSpec>> OwnChatTemplate(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kManifestFile);
  TY_ASSIGN_OR_RETURN(const Json manifest, ReadOptionalObject(path));
  const Json sections = manifest.value("sections", Json::object());
  if (sections.is_object() && sections.contains(kTemplateField)) {
    TY_ASSIGN_OR_RETURN(ChatTemplateSpec spec, ParseChatTemplate(sections[kTemplateField], path));
    return spec;
  }
  return RecognisedTemplate(directory);
}

absl::StatusOr<std::map<std::string, std::string>> TokenizerFilesWith(
    const ChatTemplateSpec* spec, const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const char* name : kTokenizerFiles) {
    TY_ASSIGN_OR_RETURN(std::optional<std::string> text,
                        ReadOptional(absl::StrCat(directory, "/", name)));
    if (text.has_value()) files[name] = *std::move(text);
  }
  const auto own = RecognisedTemplate(directory);
  const bool same = spec == nullptr || (own.ok() && own->has_value() &&
                                        ChatTemplateJson(**own) == ChatTemplateJson(*spec));
  if (same) {
    TY_ASSIGN_OR_RETURN(std::optional<std::string> jinja,
                        ReadOptional(absl::StrCat(directory, "/", kJinjaFile)));
    if (jinja.has_value()) files[kJinjaFile] = *std::move(jinja);
    return files;
  }
  // In transformers a chat_template.jinja would win over the config: it is left out.
  TY_ASSIGN_OR_RETURN(Json config,
                      ReadOptionalObject(absl::StrCat(directory, "/", kConfigFile)));
  if (config.empty()) {
    config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"eos_token", spec->end_of_turn}};
  }
  config[kTemplateField] = ChatTemplateJinja(*spec);
  files[kConfigFile] = config.dump(2) + "\n";
  return files;
}

}  // namespace trainyard::tokenizer
