#include "tokenizer/tokenizer_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"

namespace trainyard::tokenizer {
namespace {

constexpr int64_t kMaxVocabulary = int64_t{1} << 24;

using VocabularyIds = absl::flat_hash_map<std::string, TokenId>;

std::string QuotedJson(absl::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status Unsupported(absl::string_view document, absl::string_view component,
                         absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(document, ": ", component, " is not supported: ", why));
}

// The vocabulary object into bytes by id. Contents of added tokens stay as they are.
absl::Status ReadVocabulary(const Json& vocabulary, absl::string_view document,
                            TokenizerParts* parts, VocabularyIds* ids) {
  absl::flat_hash_map<TokenId, std::string> added;
  for (const AddedToken& token : parts->added) added[token.id] = token.content;
  for (const auto& [text, value] : vocabulary.items()) {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
        value.get<int64_t>() >= kMaxVocabulary) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": the id of token \"", text,
                                                     "\" must be 0 .. ", kMaxVocabulary - 1));
    }
    const TokenId id = value.get<TokenId>();
    (*ids)[text] = id;
    if (id >= parts->token_bytes.size()) parts->token_bytes.resize(id + 1);
    if (const auto found = added.find(id); found != added.end() && found->second == text) continue;
    if (!parts->token_bytes[id].empty()) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": id ", id, " is given twice"));
    }
    std::optional<std::string> bytes = AlphabetToBytes(text);
    if (!bytes.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": token \"", text, "\" (id ", id,
                                                     ") is not written in the byte alphabet"));
    }
    parts->token_bytes[id] = *std::move(bytes);
  }
  return absl::OkStatus();
}

absl::Status AddMerge(absl::string_view left, absl::string_view right, const VocabularyIds& ids,
                      absl::string_view document, TokenizerParts* parts) {
  const auto left_id = ids.find(left), right_id = ids.find(right);
  if (left_id == ids.end() || right_id == ids.end()) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": merge ", parts->merges.size(),
                                                   " \"", left, " ", right,
                                                   "\" names a token that the vocabulary lacks"));
  }
  parts->merges.push_back({left_id->second, right_id->second});
  return absl::OkStatus();
}

absl::Status AddMergeLine(absl::string_view line, const VocabularyIds& ids,
                          absl::string_view document, TokenizerParts* parts) {
  const std::vector<absl::string_view> sides = absl::StrSplit(line, ' ');
  if (sides.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": merge ", parts->merges.size(),
                                                   " \"", line, "\" is not two tokens"));
  }
  return AddMerge(sides[0], sides[1], ids, document, parts);
}

absl::Status ReadMerges(const Json& merges, const VocabularyIds& ids, absl::string_view document,
                        TokenizerParts* parts) {
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      TY_RETURN_IF_ERROR(AddMergeLine(merge.get<std::string>(), ids, document, parts));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      TY_RETURN_IF_ERROR(
          AddMerge(merge[0].get<std::string>(), merge[1].get<std::string>(), ids, document, parts));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat(document, ": model.merges[", parts->merges.size(), "] is not two tokens"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadModel(const Json& model, absl::string_view document, TokenizerParts* parts) {
  JsonReader reader(model, absl::StrCat(document, ": model"));
  TY_ASSIGN_OR_RETURN(const std::string type, reader.String("type", "BPE"));
  if (type != "BPE") return Unsupported(document, absl::StrCat("model ", type), "only BPE is");
  for (const char* field : {"dropout", "unk_token"}) {
    if (reader.Has(field)) return Unsupported(document, absl::StrCat("model.", field), "set");
  }
  for (const char* field : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    TY_ASSIGN_OR_RETURN(const std::string value, reader.String(field, ""));
    if (!value.empty()) return Unsupported(document, absl::StrCat("model.", field), "set");
  }
  TY_ASSIGN_OR_RETURN(const bool byte_fallback, reader.Bool("byte_fallback", false));
  if (byte_fallback) return Unsupported(document, "model.byte_fallback", "set");
  TY_ASSIGN_OR_RETURN(parts->ignore_merges, reader.Bool("ignore_merges", false));
  TY_ASSIGN_OR_RETURN(const Json* vocabulary, reader.Object("vocab"));
  TY_ASSIGN_OR_RETURN(const Json* merges, reader.Array("merges"));
  VocabularyIds ids;
  TY_RETURN_IF_ERROR(ReadVocabulary(*vocabulary, document, parts, &ids));
  return ReadMerges(*merges, ids, document, parts);
}

absl::Status ReadAddedTokens(const Json& tokens, absl::string_view document,
                             TokenizerParts* parts) {
  for (const Json& token : tokens) {
    JsonReader reader(token, absl::StrCat(document, ": added_tokens"));
    AddedToken added;
    TY_ASSIGN_OR_RETURN(added.content, reader.String("content"));
    TY_ASSIGN_OR_RETURN(const int64_t id, reader.Int("id"));
    TY_ASSIGN_OR_RETURN(added.special, reader.Bool("special", false));
    for (const char* field : {"single_word", "lstrip", "rstrip"}) {
      TY_ASSIGN_OR_RETURN(const bool set, reader.Bool(field, false));
      if (set) {
        return Unsupported(document, absl::StrCat(field, " of added token \"", added.content, "\""),
                           "added tokens match exactly");
      }
    }
    if (id < 0 || id >= kMaxVocabulary) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": added token \"", added.content,
                                                     "\" has id ", id, "; ids are 0 .. ",
                                                     kMaxVocabulary - 1));
    }
    added.id = static_cast<TokenId>(id);
    parts->added.push_back(std::move(added));
  }
  return absl::OkStatus();
}

absl::Status ReadByteLevel(const Json& json, bool wants_regex, absl::string_view document,
                           TokenizerParts* parts) {
  JsonReader reader(json, absl::StrCat(document, ": pre_tokenizer"));
  TY_ASSIGN_OR_RETURN(const std::string type, reader.String("type"));
  if (type != "ByteLevel") {
    return Unsupported(document, absl::StrCat("pre_tokenizer ", type), "ByteLevel is wanted here");
  }
  TY_ASSIGN_OR_RETURN(const bool use_regex, reader.Bool("use_regex", true));
  if (use_regex != wants_regex) {
    return Unsupported(document, "pre_tokenizer ByteLevel",
                       wants_regex ? "use_regex false needs a Split before it"
                                   : "use_regex true after a Split cuts twice");
  }
  TY_ASSIGN_OR_RETURN(parts->add_prefix_space, reader.Bool("add_prefix_space", true));
  return absl::OkStatus();
}

absl::Status ReadSplit(const Json& json, absl::string_view document, TokenizerParts* parts) {
  JsonReader reader(json, absl::StrCat(document, ": pre_tokenizer"));
  TY_ASSIGN_OR_RETURN(const std::string type, reader.String("type"));
  if (type != "Split") {
    return Unsupported(document, absl::StrCat("pre_tokenizer ", type),
                       "a Split and a ByteLevel are wanted");
  }
  TY_ASSIGN_OR_RETURN(const std::string behavior, reader.String("behavior"));
  TY_ASSIGN_OR_RETURN(const bool invert, reader.Bool("invert", false));
  if (behavior != "Isolated" || invert) {
    return Unsupported(document, absl::StrCat("pre_tokenizer Split with behavior ", behavior),
                       "only Isolated without invert is");
  }
  TY_ASSIGN_OR_RETURN(const Json* pattern, reader.Object("pattern"));
  JsonReader pattern_reader(*pattern, absl::StrCat(document, ": pre_tokenizer.pattern"));
  TY_ASSIGN_OR_RETURN(parts->pattern, pattern_reader.String("Regex"));
  return absl::OkStatus();
}

absl::Status ReadPretokenizer(const Json& root, absl::string_view document, TokenizerParts* parts) {
  JsonReader reader(root, document);
  TY_ASSIGN_OR_RETURN(const Json* pretokenizer, reader.Object("pre_tokenizer"));
  JsonReader fields(*pretokenizer, absl::StrCat(document, ": pre_tokenizer"));
  TY_ASSIGN_OR_RETURN(const std::string type, fields.String("type"));
  if (type != "Sequence") return ReadByteLevel(*pretokenizer, true, document, parts);
  TY_ASSIGN_OR_RETURN(const Json* steps, fields.Array("pretokenizers"));
  if (steps->size() != 2) {
    return Unsupported(document, absl::StrCat("pre_tokenizer Sequence of ", steps->size()),
                       "a Split and a ByteLevel are wanted");
  }
  TY_RETURN_IF_ERROR(ReadSplit((*steps)[0], document, parts));
  return ReadByteLevel((*steps)[1], false, document, parts);
}

// A component that must be absent, or of the one type that changes no id.
absl::Status RequireHarmless(const Json& root, absl::string_view field, absl::string_view document,
                             absl::string_view harmless) {
  JsonReader reader(root, document);
  if (!reader.Has(field)) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const Json* component, reader.Object(field));
  JsonReader fields(*component, absl::StrCat(document, ": ", field));
  TY_ASSIGN_OR_RETURN(const std::string type, fields.String("type"));
  if (type == harmless) return absl::OkStatus();
  return Unsupported(
      document, absl::StrCat(field, " ", type),
      harmless.empty() ? "there must be none" : absl::StrCat("only ", harmless, " or none is"));
}

std::string VocabularyJson(const TokenizerParts& parts) {
  absl::flat_hash_map<TokenId, absl::string_view> added;
  for (const AddedToken& token : parts.added) added[token.id] = token.content;
  std::string json = "{";
  for (size_t id = 0; id < parts.token_bytes.size(); ++id) {
    if (parts.token_bytes[id].empty()) continue;
    const auto found = added.find(static_cast<TokenId>(id));
    const std::string text =
        found != added.end() ? std::string(found->second) : BytesToAlphabet(parts.token_bytes[id]);
    absl::StrAppend(&json, json.size() > 1 ? ",\n      " : "\n      ", QuotedJson(text), ": ", id);
  }
  return json + "\n    }";
}

std::string MergesJson(const TokenizerParts& parts) {
  std::string json = "[";
  for (const auto& [left, right] : parts.merges) {
    absl::StrAppend(&json, json.size() > 1 ? ",\n      " : "\n      ",
                    QuotedJson(absl::StrCat(BytesToAlphabet(parts.token_bytes[left]), " ",
                                            BytesToAlphabet(parts.token_bytes[right]))));
  }
  return json + "\n    ]";
}

Json PretokenizerJson(const TokenizerParts& parts) {
  Json byte_level = {{"type", "ByteLevel"},
                     {"add_prefix_space", parts.add_prefix_space},
                     {"trim_offsets", true},
                     {"use_regex", true}};
  if (parts.pattern == kGpt2Pattern) return byte_level;
  byte_level["use_regex"] = false;
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", parts.pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level})}};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> ParseTokenizer(absl::string_view text,
                                                                absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Json root, ParseJson(text, document));
  if (!root.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": not a tokenizer.json object"));
  }
  JsonReader reader(root, document);
  TokenizerParts parts;
  TY_RETURN_IF_ERROR(RequireHarmless(root, "normalizer", document, ""));
  TY_RETURN_IF_ERROR(RequireHarmless(root, "post_processor", document, "ByteLevel"));
  TY_RETURN_IF_ERROR(RequireHarmless(root, "decoder", document, "ByteLevel"));
  if (reader.Has("added_tokens")) {
    TY_ASSIGN_OR_RETURN(const Json* added, reader.Array("added_tokens"));
    TY_RETURN_IF_ERROR(ReadAddedTokens(*added, document, &parts));
  }
  TY_RETURN_IF_ERROR(ReadPretokenizer(root, document, &parts));
  TY_ASSIGN_OR_RETURN(const Json* model, reader.Object("model"));
  TY_RETURN_IF_ERROR(ReadModel(*model, document, &parts));
  auto tokenizer = Tokenizer::Create(std::move(parts));
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), document);
  return tokenizer;
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
  TokenizerParts parts;
  VocabularyIds ids;
  TY_RETURN_IF_ERROR(ReadVocabulary(vocabulary, vocab_path, &parts, &ids));
  for (const absl::string_view line : absl::StrSplit(merges, '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "#version")) continue;
    TY_RETURN_IF_ERROR(AddMergeLine(absl::StripAsciiWhitespace(line), ids, merges_path, &parts));
  }
  std::vector<bool> made(parts.token_bytes.size(), false);
  for (const auto& [left, right] : parts.merges) {
    const auto found =
        ids.find(BytesToAlphabet(parts.token_bytes[left] + parts.token_bytes[right]));
    if (found != ids.end()) made[found->second] = true;
  }
  for (size_t id = 0; id < parts.token_bytes.size(); ++id) {
    if (parts.token_bytes[id].size() > 1 && !made[id]) {
      parts.added.push_back({static_cast<TokenId>(id), parts.token_bytes[id], true});
    }
  }
  return Tokenizer::Create(std::move(parts));
}

std::string TokenizerJson(const Tokenizer& tokenizer) {
  const TokenizerParts& parts = tokenizer.parts();
  Json added = Json::array();
  for (const AddedToken& token : parts.added) {
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", token.special}});
  }
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", parts.add_prefix_space},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  return absl::StrCat(
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n",
      "  \"added_tokens\": ", added.dump(), ",\n  \"normalizer\": null,\n",
      "  \"pre_tokenizer\": ", PretokenizerJson(parts).dump(), ",\n",
      "  \"post_processor\": ", byte_level.dump(), ",\n  \"decoder\": ", byte_level.dump(), ",\n",
      "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n",
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n",
      "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n",
      "    \"ignore_merges\": ", parts.ignore_merges ? "true" : "false", ",\n",
      "    \"vocab\": ", VocabularyJson(parts), ",\n    \"merges\": ", MergesJson(parts),
      "\n  }\n}\n");
}

absl::Status SaveTokenizer(const Tokenizer& tokenizer, const TokenizerConfig& config,
                           const std::string& directory) {
  Json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
               {"clean_up_tokenization_spaces", false}};
  const auto set = [&json](const char* field, const std::string& value) {
    if (!value.empty()) json[field] = value;
  };
  set("eos_token", config.end_token);
  set("bos_token", config.begin_token);
  set("pad_token", config.pad_token);
  set("chat_template", config.chat_template);
  if (config.model_max_length > 0) json["model_max_length"] = config.model_max_length;
  TY_RETURN_IF_ERROR(WriteFileAtomically(directory + "/tokenizer.json", TokenizerJson(tokenizer)));
  return WriteFileAtomically(directory + "/tokenizer_config.json", json.dump(2) + "\n");
}

}  // namespace trainyard::tokenizer
