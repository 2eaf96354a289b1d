#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::tokenizer {
namespace {

std::string QuotedJson(absl::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string VocabularyJson(const TokenizerSpec& spec) {
  std::string json = "{";
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.tokens[id].empty()) continue;
    absl::StrAppend(&json, json.size() > 1 ? ",\n      " : "\n      ", QuotedJson(spec.tokens[id]),
                    ": ", id);
  }
  return json + "\n    }";
}

// As "left right"; as pairs where a token holds a space.
std::string MergesJson(const TokenizerSpec& spec) {
  bool pairs = false;
  for (const std::string& token : spec.tokens) pairs = pairs || absl::StrContains(token, ' ');
  std::string json = "[";
  for (const auto& [left, right] : spec.merges) {
    const std::string &a = spec.tokens[left], &b = spec.tokens[right];
    absl::StrAppend(&json, json.size() > 1 ? ",\n      " : "\n      ",
                    pairs ? absl::StrCat("[", QuotedJson(a), ", ", QuotedJson(b), "]")
                          : QuotedJson(absl::StrCat(a, " ", b)));
  }
  return json + "\n    ]";
}

Json AddedJson(const TokenizerSpec& spec) {
  Json added = Json::array();
  for (const AddedToken& token : spec.added) {
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  return added;
}

}  // namespace

std::string TokenizerJson(const Tokenizer& tokenizer) {
  const TokenizerSpec& spec = tokenizer.spec();
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  return absl::StrCat(
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n",
      "  \"added_tokens\": ", AddedJson(spec).dump(), ",\n",
      "  \"normalizer\": ", spec.normalizer.dump(), ",\n",
      "  \"pre_tokenizer\": ", spec.pretokenizer.dump(), ",\n",
      "  \"post_processor\": ", spec.post_processor.dump(), ",\n",
      "  \"decoder\": ", spec.decoder.dump(), ",\n",
      "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": ",
      spec.bpe.unk_token.empty() ? "null" : QuotedJson(spec.bpe.unk_token), ",\n",
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n",
      "    \"fuse_unk\": ", flag(spec.bpe.fuse_unk), ",\n",
      "    \"byte_fallback\": ", flag(spec.bpe.byte_fallback), ",\n",
      "    \"ignore_merges\": ", flag(spec.bpe.ignore_merges), ",\n",
      "    \"vocab\": ", VocabularyJson(spec), ",\n    \"merges\": ", MergesJson(spec),
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
