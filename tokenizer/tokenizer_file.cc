#include "tokenizer/tokenizer_file.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/sentencepiece_file.h"

namespace trainyard::tokenizer {
namespace {

// Ids may leave holes, but a short file must not ask for gigabytes.
constexpr int64_t kMaxVocabulary = int64_t{1} << 24, kMaxHoles = int64_t{1} << 20;
constexpr char kJsonFile[] = "tokenizer.json";
constexpr char kVocabFile[] = "vocab.json";
constexpr char kMergesFile[] = "merges.txt";
constexpr char kSentencePieceFile[] = "tokenizer.model";

using VocabularyIds = absl::flat_hash_map<std::string, TokenId>;

absl::Status Unsupported(absl::string_view document, absl::string_view component,
                         absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(document, ": ", component, " is not supported: ", why));
}

absl::Status ReadVocabulary(const Json& vocabulary, absl::string_view document, TokenizerSpec* spec,
                            VocabularyIds* ids) {
  const int64_t limit =
      std::min(kMaxVocabulary, static_cast<int64_t>(vocabulary.size()) + kMaxHoles);
  for (const auto& [token, value] : vocabulary.items()) {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() >= limit) {
      return absl::InvalidArgumentError(absl::StrCat(
          document, ": the id of token \"", token, "\" must be 0 .. ", limit - 1,
          " in a vocabulary of ", vocabulary.size(), ", but is ", value.dump().substr(0, 40)));
    }
    const size_t id = value.get<size_t>();
    (*ids)[token] = static_cast<TokenId>(id);
    if (id >= spec->tokens.size()) spec->tokens.resize(id + 1);
    if (!spec->tokens[id].empty()) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": id ", id, " is given twice"));
    }
    spec->tokens[id] = token;
  }
  return absl::OkStatus();
}

absl::Status AddMerge(absl::string_view left, absl::string_view right, const VocabularyIds& ids,
                      absl::string_view document, TokenizerSpec* spec) {
  const auto left_id = ids.find(left), right_id = ids.find(right);
  if (left_id == ids.end() || right_id == ids.end()) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": merge ", spec->merges.size(), " \"",
                                                   left, " ", right,
                                                   "\" names a token that the vocabulary lacks"));
  }
  spec->merges.push_back({left_id->second, right_id->second});
  return absl::OkStatus();
}

absl::Status AddMergeLine(absl::string_view line, const VocabularyIds& ids,
                          absl::string_view document, TokenizerSpec* spec) {
  if (absl::StartsWith(line, "#version")) return absl::OkStatus();
  const std::vector<absl::string_view> sides = absl::StrSplit(line, ' ');
  if (sides.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": merge ", spec->merges.size(), " \"",
                                                   line, "\" is not two tokens"));
  }
  return AddMerge(sides[0], sides[1], ids, document, spec);
}

absl::Status ReadMerges(const Json& merges, const VocabularyIds& ids, absl::string_view document,
                        TokenizerSpec* spec) {
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      TY_RETURN_IF_ERROR(AddMergeLine(merge.get_ref<const std::string&>(), ids, document, spec));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      TY_RETURN_IF_ERROR(AddMerge(merge[0].get_ref<const std::string&>(),
                                  merge[1].get_ref<const std::string&>(), ids, document, spec));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat(document, ": model.merges[", spec->merges.size(), "] is not two tokens"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadBpeOptions(const JsonReader& reader, absl::string_view document,
                            BpeOptions* options) {
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "dropout", "unk_token", "continuing_subword_prefix",
                                        "end_of_word_suffix", "fuse_unk", "byte_fallback",
                                        "ignore_merges", "vocab", "merges"}));
  TY_ASSIGN_OR_RETURN(const std::string type, reader.String("type", "BPE"));
  if (type != "BPE") return Unsupported(document, absl::StrCat("model ", type), "only BPE is");
  TY_ASSIGN_OR_RETURN(const double dropout, reader.Double("dropout", 0));
  if (dropout != 0) return Unsupported(document, "model.dropout", "ids would be random");
  for (const char* field : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    TY_ASSIGN_OR_RETURN(const std::string value, reader.String(field, ""));
    if (!value.empty()) {
      return Unsupported(document, absl::StrCat("model.", field, " \"", value, "\""),
                         "only an empty one is");
    }
  }
  TY_ASSIGN_OR_RETURN(options->unk_token, reader.String("unk_token", ""));
  TY_ASSIGN_OR_RETURN(options->fuse_unk, reader.Bool("fuse_unk", false));
  TY_ASSIGN_OR_RETURN(options->byte_fallback, reader.Bool("byte_fallback", false));
  TY_ASSIGN_OR_RETURN(options->ignore_merges, reader.Bool("ignore_merges", false));
  return absl::OkStatus();
}

absl::Status ReadModel(const Json& model, absl::string_view document, TokenizerSpec* spec) {
  const JsonReader reader(model, absl::StrCat(document, ": model"));
  TY_RETURN_IF_ERROR(ReadBpeOptions(reader, document, &spec->bpe));
  TY_ASSIGN_OR_RETURN(const Json* vocabulary, reader.Object("vocab"));
  TY_ASSIGN_OR_RETURN(const Json* merges, reader.Array("merges"));
  VocabularyIds ids;
  TY_RETURN_IF_ERROR(ReadVocabulary(*vocabulary, document, spec, &ids));
  return ReadMerges(*merges, ids, document, spec);
}

absl::Status ReadAddedTokens(const Json& tokens, absl::string_view document, TokenizerSpec* spec) {
  for (const Json& token : tokens) {
    const JsonReader reader(token, absl::StrCat(document, ": added_tokens"));
    TY_RETURN_IF_ERROR(reader.OnlyFields(
        {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
    AddedToken added;
    TY_ASSIGN_OR_RETURN(added.content, reader.String("content"));
    TY_ASSIGN_OR_RETURN(added.special, reader.Bool("special", false));
    TY_ASSIGN_OR_RETURN(added.single_word, reader.Bool("single_word", false));
    TY_ASSIGN_OR_RETURN(added.lstrip, reader.Bool("lstrip", false));
    TY_ASSIGN_OR_RETURN(added.rstrip, reader.Bool("rstrip", false));
    TY_ASSIGN_OR_RETURN(added.normalized, reader.Bool("normalized", !added.special));
    spec->added.push_back(std::move(added));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> CreateNamed(TokenizerSpec spec,
                                                             absl::string_view document) {
  auto tokenizer = Tokenizer::Create(std::move(spec));
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), document);
  return tokenizer;
}

// What only a special token can be: more than one character, and no merge makes it.
void AddUnmadeTokens(const VocabularyIds& ids, TokenizerSpec* spec) {
  std::vector<bool> made(spec->tokens.size(), false);
  for (const auto& [left, right] : spec->merges) {
    const auto found = ids.find(spec->tokens[left] + spec->tokens[right]);
    if (found != ids.end()) made[found->second] = true;
  }
  for (size_t id = 0; id < spec->tokens.size(); ++id) {
    const std::optional<std::string> bytes = AlphabetToBytes(spec->tokens[id]);
    if (made[id] || spec->tokens[id].empty() || (bytes.has_value() && bytes->size() == 1)) continue;
    spec->added.push_back({static_cast<TokenId>(id), spec->tokens[id], true});
  }
}

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> ParseTokenizer(absl::string_view text,
                                                                absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Json root, ParseJson(text, document));
  if (!root.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": not a tokenizer.json object"));
  }
  const JsonReader reader(root, document);
  TY_RETURN_IF_ERROR(
      reader.OnlyFields({"version", "truncation", "padding", "added_tokens", "normalizer",
                         "pre_tokenizer", "post_processor", "decoder", "model"}));
  TY_ASSIGN_OR_RETURN(const std::string version, reader.String("version", "1.0"));
  if (version != "1.0") return Unsupported(document, absl::StrCat("version ", version), "1.0 is");
  TokenizerSpec spec;
  if (reader.Has("added_tokens")) {
    TY_ASSIGN_OR_RETURN(const Json* added, reader.Array("added_tokens"));
    TY_RETURN_IF_ERROR(ReadAddedTokens(*added, document, &spec));
  }
  for (const auto& [field, component] :
       {std::pair("normalizer", &spec.normalizer), std::pair("pre_tokenizer", &spec.pretokenizer),
        std::pair("post_processor", &spec.post_processor), std::pair("decoder", &spec.decoder)}) {
    if (reader.Has(field)) *component = root[field];
  }
  TY_ASSIGN_OR_RETURN(const Json* model, reader.Object("model"));
  TY_RETURN_IF_ERROR(ReadModel(*model, document, &spec));
  return CreateNamed(std::move(spec), document);
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseTokenizer(text, path);
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadGpt2Tokenizer(const std::string& vocab_path,
                                                                   const std::string& merges_path) {
  TY_ASSIGN_OR_RETURN(const Json vocabulary, ReadJsonFile(vocab_path));
  if (!vocabulary.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(vocab_path, ": not an object of token ids"));
  }
  TY_ASSIGN_OR_RETURN(const std::string merges, ReadFile(merges_path));
  TokenizerSpec spec;
  VocabularyIds ids;
  TY_RETURN_IF_ERROR(ReadVocabulary(vocabulary, vocab_path, &spec, &ids));
  for (const absl::string_view line : absl::StrSplit(merges, '\n', absl::SkipEmpty())) {
    TY_RETURN_IF_ERROR(AddMergeLine(absl::StripSuffix(line, "\r"), ids, merges_path, &spec));
  }
  AddUnmadeTokens(ids, &spec);
  spec.pretokenizer = spec.post_processor = spec.decoder = {{"type", "ByteLevel"},
                                                            {"add_prefix_space", false},
                                                            {"trim_offsets", true},
                                                            {"use_regex", true}};
  return CreateNamed(std::move(spec), vocab_path);
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadSentencePieceTokenizer(
    const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  TY_ASSIGN_OR_RETURN(TokenizerSpec spec, ParseSentencePieceModel(bytes, path));
  return CreateNamed(std::move(spec), path);
}

absl::StatusOr<std::string> FindVocabularyFile(const std::string& directory) {
  const auto path = [&](absl::string_view name) { return absl::StrCat(directory, "/", name); };
  if (Exists(path(kJsonFile))) return path(kJsonFile);
  if (Exists(path(kVocabFile)) && Exists(path(kMergesFile))) return path(kVocabFile);
  if (Exists(path(kSentencePieceFile))) return path(kSentencePieceFile);
  return absl::NotFoundError(
      absl::StrCat(directory,
                   " holds no tokenizer: neither tokenizer.json, nor vocab.json with "
                   "merges.txt, nor tokenizer.model"));
}

absl::StatusOr<TokenizerInDirectory> LoadTokenizerOf(const std::string& directory) {
  TokenizerInDirectory found;
  TY_ASSIGN_OR_RETURN(found.path, FindVocabularyFile(directory));
  if (absl::EndsWith(found.path, kJsonFile)) {
    TY_ASSIGN_OR_RETURN(found.tokenizer, LoadTokenizer(found.path));
  } else if (absl::EndsWith(found.path, kVocabFile)) {
    TY_ASSIGN_OR_RETURN(found.tokenizer,
                        LoadGpt2Tokenizer(found.path, absl::StrCat(directory, "/", kMergesFile)));
  } else {
    TY_ASSIGN_OR_RETURN(found.tokenizer, LoadSentencePieceTokenizer(found.path));
  }
  return found;
}

}  // namespace trainyard::tokenizer
