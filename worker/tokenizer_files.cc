#include "worker/tokenizer_files.h"

#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "tokenizer/chat_files.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::worker {
namespace {

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// A token of tokenizer_config.json: text, or {"content": text}.
std::string TokenText(const Json& config, const char* field) {
  const auto found = config.find(field);
  if (found == config.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return "";
}

int64_t IdOf(const tokenizer::Tokenizer& tokenizer, const std::string& token) {
  const std::optional<tokenizer::TokenId> id = tokenizer.AddedId(token);
  return id.has_value() ? static_cast<int64_t>(*id) : -1;
}

}  // namespace

absl::StatusOr<TokenizerFiles> OpenTokenizer(const std::string& directory) {
  TokenizerFiles files;
  files.directory = directory;
  TY_ASSIGN_OR_RETURN(tokenizer::TokenizerInDirectory found, tokenizer::LoadTokenizerOf(directory));
  files.tokenizer = std::move(found.tokenizer);
  TY_ASSIGN_OR_RETURN(files.sha256, FileSha256Hex(found.path));
  const std::string config_path = absl::StrCat(directory, "/tokenizer_config.json");
  if (Exists(config_path)) {
    TY_ASSIGN_OR_RETURN(const Json config, ReadJsonFile(config_path));
    files.end_token = TokenText(config, "eos_token");
    files.pad_token = TokenText(config, "pad_token");
    files.end_id = IdOf(*files.tokenizer, files.end_token);
    files.pad_id = IdOf(*files.tokenizer, files.pad_token);
  }
  return files;
}

absl::StatusOr<std::vector<checkpoint::FileRecord>> CopyTokenizer(
    const TokenizerFiles& files, const tokenizer::ChatTemplateSpec* chat_template,
    const std::string& directory) {
  TY_ASSIGN_OR_RETURN(const auto texts,
                      tokenizer::TokenizerFilesWith(chat_template, files.directory));
  std::vector<checkpoint::FileRecord> records;
  for (const auto& [name, bytes] : texts) {
    TY_ASSIGN_OR_RETURN(records.emplace_back(),
                        checkpoint::WriteCheckpointFile(directory, name, bytes));
  }
  return records;
}

}  // namespace trainyard::worker
