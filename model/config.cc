#include "model/config.h"

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::model {
namespace {

// The members of kLlama: how they are called, and what sets them apart.
struct LlamaVariant {
  absl::string_view model_type;
  absl::string_view class_prefix;
  bool qkv_bias;
  bool qk_norm;
};
constexpr std::array<LlamaVariant, 4> kLlamaVariants = {{{"llama", "Llama", false, false},
                                                         {"mistral", "Mistral", false, false},
                                                         {"qwen2", "Qwen2", true, false},
                                                         {"qwen3", "Qwen3", false, true}}};

const LlamaVariant* FindVariant(absl::string_view model_type) {
  for (const LlamaVariant& variant : kLlamaVariants) {
    if (variant.model_type == model_type) return &variant;
  }
  return nullptr;
}

absl::Status Unsupported(absl::string_view document, absl::string_view field,
                         absl::string_view value, absl::string_view supported) {
  return absl::InvalidArgumentError(
      absl::StrCat(document, ": ", field, " ", value, " is not supported (only ", supported, ")"));
}

// A switch that must be off, or absent.
absl::Status MustBeFalse(const JsonReader& reader, absl::string_view document,
                         absl::string_view field) {
  TY_ASSIGN_OR_RETURN(const bool value, reader.Bool(field, false));
  return value ? Unsupported(document, field, "true", "false") : absl::OkStatus();
}

absl::Status NoteDropout(const JsonReader& reader, absl::string_view field,
                         std::vector<std::string>* ignored) {
  TY_ASSIGN_OR_RETURN(const double rate, reader.Double(field, 0.0));
  if (rate != 0.0) ignored->push_back(absl::StrCat(field, " ", rate, " -> 0"));
  return absl::OkStatus();
}

// Published configs give eos as one id or as a list; the first of a list is the model's own.
absl::StatusOr<int64_t> TokenId(const JsonReader& reader, const Json& json, const char* field) {
  if (reader.Has(field) && json[field].is_array() && !json[field].empty() &&
      json[field][0].is_number_integer()) {
    return json[field][0].get<int64_t>();
  }
  return reader.Int(field, -1);
}

absl::Status ReadTokenIds(const JsonReader& reader, const Json& json, ModelConfig* config) {
  TY_ASSIGN_OR_RETURN(config->bos_token_id, TokenId(reader, json, "bos_token_id"));
  TY_ASSIGN_OR_RETURN(config->eos_token_id, TokenId(reader, json, "eos_token_id"));
  TY_ASSIGN_OR_RETURN(config->pad_token_id, TokenId(reader, json, "pad_token_id"));
  return absl::OkStatus();
}

absl::Status ReadHead(const JsonReader& reader, const Json& json, absl::string_view document,
                      ModelConfig* config) {
  if (!reader.Has("architectures")) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const Json* architectures, reader.Array("architectures"));
  if (architectures->empty() || !architectures->front().is_string()) return absl::OkStatus();
  const std::string name = architectures->front().get<std::string>();
  if (!absl::EndsWith(name, "ForSequenceClassification")) return absl::OkStatus();
  config->head = Head::kScalar;
  const size_t labels = json.contains("id2label") ? json["id2label"].size() : 2;
  if (labels != 1) {
    return Unsupported(document, "number of labels", absl::StrCat(labels), "1: a score");
  }
  TY_ASSIGN_OR_RETURN(config->score_bias, reader.Bool("score_bias", false));
  return absl::OkStatus();
}

absl::Status ReadGpt2(const JsonReader& reader, absl::string_view document, ParsedConfig* parsed) {
  ModelConfig& config = parsed->config;
  config.family = Family::kGpt2;
  TY_ASSIGN_OR_RETURN(config.vocab_size, reader.Int("vocab_size"));
  TY_ASSIGN_OR_RETURN(config.width, reader.Int("n_embd"));
  TY_ASSIGN_OR_RETURN(config.layers, reader.Int("n_layer"));
  TY_ASSIGN_OR_RETURN(config.heads, reader.Int("n_head"));
  TY_ASSIGN_OR_RETURN(config.max_positions, reader.Int("n_positions"));
  TY_ASSIGN_OR_RETURN(config.ffn_width, reader.Int("n_inner", 4 * config.width));
  TY_ASSIGN_OR_RETURN(config.norm_epsilon, reader.Double("layer_norm_epsilon", 1e-5));
  TY_ASSIGN_OR_RETURN(config.tied_head, reader.Bool("tie_word_embeddings", true));
  config.kv_heads = config.heads;
  config.head_width = config.heads > 0 ? config.width / config.heads : 0;
  TY_ASSIGN_OR_RETURN(const std::string activation,
                      reader.String("activation_function", "gelu_new"));
  if (activation != "gelu_new" && activation != "gelu_pytorch_tanh") {
    return Unsupported(document, "activation_function", activation, "gelu_new");
  }
  for (const char* field : {"scale_attn_by_inverse_layer_idx", "add_cross_attention"}) {
    TY_RETURN_IF_ERROR(MustBeFalse(reader, document, field));
  }
  TY_ASSIGN_OR_RETURN(const bool scaled, reader.Bool("scale_attn_weights", true));
  if (!scaled) return Unsupported(document, "scale_attn_weights", "false", "true");
  for (const char* field : {"attn_pdrop", "embd_pdrop", "resid_pdrop"}) {
    TY_RETURN_IF_ERROR(NoteDropout(reader, field, &parsed->ignored));
  }
  return absl::OkStatus();
}

// transformers 5 writes rope_parameters, 4 wrote rope_theta and rope_scaling.
absl::Status ReadRope(const JsonReader& reader, absl::string_view document, ModelConfig* config) {
  TY_ASSIGN_OR_RETURN(config->rope_theta, reader.Double("rope_theta", 10000.0));
  for (const char* field : {"rope_parameters", "rope_scaling"}) {
    if (!reader.Has(field)) continue;
    TY_ASSIGN_OR_RETURN(const Json* rope, reader.Object(field));
    const JsonReader inner(*rope, absl::StrCat(document, ": ", field));
    TY_ASSIGN_OR_RETURN(const std::string legacy_type, inner.String("type", "default"));
    TY_ASSIGN_OR_RETURN(const std::string type, inner.String("rope_type", legacy_type));
    if (type != "default") {
      return Unsupported(document, absl::StrCat(field, ".rope_type"), type, "default");
    }
    TY_ASSIGN_OR_RETURN(config->rope_theta, inner.Double("rope_theta", config->rope_theta));
  }
  TY_ASSIGN_OR_RETURN(const double rotated, reader.Double("partial_rotary_factor", 1.0));
  if (rotated != 1.0) {
    return Unsupported(document, "partial_rotary_factor", absl::StrCat(rotated), "1");
  }
  return absl::OkStatus();
}

absl::Status ReadLlamaOptions(const JsonReader& reader, absl::string_view document,
                              ParsedConfig* parsed) {
  ModelConfig& config = parsed->config;
  TY_ASSIGN_OR_RETURN(const std::string activation, reader.String("hidden_act", "silu"));
  if (activation != "silu") return Unsupported(document, "hidden_act", activation, "silu");
  if (config.model_type != "qwen2") {
    TY_RETURN_IF_ERROR(MustBeFalse(reader, document, "attention_bias"));
  }
  TY_RETURN_IF_ERROR(MustBeFalse(reader, document, "mlp_bias"));
  TY_ASSIGN_OR_RETURN(const bool use_window,
                      reader.Bool("use_sliding_window", config.model_type == "mistral"));
  TY_ASSIGN_OR_RETURN(const int64_t window, reader.Int("sliding_window", config.max_positions));
  if (use_window && window < config.max_positions) {
    return Unsupported(document, "sliding_window", absl::StrCat(window),
                       absl::StrCat("null, or at least the context of ", config.max_positions));
  }
  TY_ASSIGN_OR_RETURN(const int64_t slices, reader.Int("pretraining_tp", 1));
  if (slices != 1) parsed->ignored.push_back(absl::StrCat("pretraining_tp ", slices, " -> 1"));
  return NoteDropout(reader, "attention_dropout", &parsed->ignored);
}

absl::Status ReadLlama(const JsonReader& reader, absl::string_view document, ParsedConfig* parsed) {
  ModelConfig& config = parsed->config;
  const LlamaVariant& variant = *FindVariant(config.model_type);
  config.family = Family::kLlama;
  config.qkv_bias = variant.qkv_bias;
  config.qk_norm = variant.qk_norm;
  TY_ASSIGN_OR_RETURN(config.vocab_size, reader.Int("vocab_size"));
  TY_ASSIGN_OR_RETURN(config.width, reader.Int("hidden_size"));
  TY_ASSIGN_OR_RETURN(config.ffn_width, reader.Int("intermediate_size"));
  TY_ASSIGN_OR_RETURN(config.layers, reader.Int("num_hidden_layers"));
  TY_ASSIGN_OR_RETURN(config.heads, reader.Int("num_attention_heads"));
  TY_ASSIGN_OR_RETURN(config.kv_heads, reader.Int("num_key_value_heads", config.heads));
  TY_ASSIGN_OR_RETURN(config.head_width,
                      reader.Int("head_dim", config.heads > 0 ? config.width / config.heads : 0));
  TY_ASSIGN_OR_RETURN(config.max_positions, reader.Int("max_position_embeddings"));
  TY_ASSIGN_OR_RETURN(config.norm_epsilon, reader.Double("rms_norm_eps", 1e-6));
  TY_ASSIGN_OR_RETURN(config.tied_head, reader.Bool("tie_word_embeddings", false));
  TY_RETURN_IF_ERROR(ReadRope(reader, document, &config));
  return ReadLlamaOptions(reader, document, parsed);
}

Json NullableId(int64_t id) { return id < 0 ? Json(nullptr) : Json(id); }

void WriteGpt2(const ModelConfig& config, Json* json) {
  (*json)["n_embd"] = config.width;
  (*json)["n_layer"] = config.layers;
  (*json)["n_head"] = config.heads;
  (*json)["n_positions"] = config.max_positions;
  (*json)["n_inner"] = config.ffn_width;
  (*json)["layer_norm_epsilon"] = config.norm_epsilon;
  (*json)["activation_function"] = "gelu_new";
  for (const char* field : {"attn_pdrop", "embd_pdrop", "resid_pdrop"}) (*json)[field] = 0.0;
}

void WriteLlama(const ModelConfig& config, Json* json) {
  (*json)["hidden_size"] = config.width;
  (*json)["intermediate_size"] = config.ffn_width;
  (*json)["num_hidden_layers"] = config.layers;
  (*json)["num_attention_heads"] = config.heads;
  (*json)["num_key_value_heads"] = config.kv_heads;
  (*json)["head_dim"] = config.head_width;
  (*json)["max_position_embeddings"] = config.max_positions;
  (*json)["rms_norm_eps"] = config.norm_epsilon;
  (*json)["rope_theta"] = config.rope_theta;
  (*json)["rope_parameters"] = {{"rope_theta", config.rope_theta}, {"rope_type", "default"}};
  (*json)["hidden_act"] = "silu";
  (*json)["attention_bias"] = false;
  (*json)["attention_dropout"] = 0.0;
  if (config.model_type == "mistral") (*json)["sliding_window"] = nullptr;
  if (config.model_type == "llama") (*json)["mlp_bias"] = false;
}

}  // namespace

absl::StatusOr<ParsedConfig> ParseConfig(const Json& json, absl::string_view document) {
  const JsonReader reader(json, document);
  ParsedConfig parsed;
  TY_ASSIGN_OR_RETURN(parsed.config.model_type, reader.String("model_type"));
  if (parsed.config.model_type == "gpt2") {
    TY_RETURN_IF_ERROR(ReadGpt2(reader, document, &parsed));
  } else if (FindVariant(parsed.config.model_type) != nullptr) {
    TY_RETURN_IF_ERROR(ReadLlama(reader, document, &parsed));
  } else {
    return Unsupported(document, "model_type", parsed.config.model_type,
                       "gpt2, llama, mistral, qwen2, qwen3");
  }
  TY_RETURN_IF_ERROR(ReadTokenIds(reader, json, &parsed.config));
  TY_RETURN_IF_ERROR(ReadHead(reader, json, document, &parsed.config));
  TY_RETURN_IF_ERROR(Annotate(ValidateConfig(parsed.config), document));
  return parsed;
}

absl::StatusOr<ParsedConfig> ReadConfig(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(path));
  return ParseConfig(json, path);
}

Json ConfigJson(const ModelConfig& config, absl::string_view dtype_name) {
  const bool gpt2 = config.family == Family::kGpt2;
  const bool scalar = config.head == Head::kScalar;
  const std::string prefix =
      gpt2 ? "GPT2" : std::string(FindVariant(config.model_type)->class_prefix);
  const char* suffix = scalar ? "ForSequenceClassification" : gpt2 ? "LMHeadModel" : "ForCausalLM";
  Json json = {{"model_type", config.model_type},
               {"architectures", {absl::StrCat(prefix, suffix)}},
               {"vocab_size", config.vocab_size},
               {"tie_word_embeddings", config.tied_head},
               {"initializer_range", 0.02},
               {"use_cache", true},
               {"dtype", std::string(dtype_name)},
               {"bos_token_id", NullableId(config.bos_token_id)},
               {"eos_token_id", NullableId(config.eos_token_id)},
               {"pad_token_id", NullableId(config.pad_token_id)}};
  if (gpt2) {
    WriteGpt2(config, &json);
  } else {
    WriteLlama(config, &json);
  }
  if (!scalar) return json;
  json["id2label"] = {{"0", "LABEL_0"}};
  json["label2id"] = {{"LABEL_0", 0}};
  if (config.score_bias) json["score_bias"] = true;
  // transformers reads the score before the first pad token: it must differ from the end token.
  if (config.pad_token_id < 0 || config.pad_token_id == config.eos_token_id) {
    json["pad_token_id"] = config.eos_token_id == 0 ? 1 : 0;
  }
  return json;
}

absl::Status ValidateConfig(const ModelConfig& config) {
  const std::pair<const char*, int64_t> sizes[] = {
      {"vocabulary size", config.vocab_size},   {"width", config.width},
      {"feed-forward width", config.ffn_width}, {"number of layers", config.layers},
      {"number of heads", config.heads},        {"number of key-value heads", config.kv_heads},
      {"head width", config.head_width},        {"number of positions", config.max_positions}};
  for (const auto& [name, value] : sizes) {
    if (value > 0 && value <= (int64_t{1} << 31)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("model ", name, " is ", value, ", must be 1 to 2^31"));
  }
  if (config.heads % config.kv_heads != 0) {
    return absl::InvalidArgumentError(absl::StrCat("model has ", config.heads, " heads, not a ",
                                                   "multiple of its ", config.kv_heads,
                                                   " key-value heads"));
  }
  if (config.family == Family::kLlama && config.head_width % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model head width is ", config.head_width, ", must be even for RoPE"));
  }
  if (config.family == Family::kGpt2 && config.heads * config.head_width != config.width) {
    return absl::InvalidArgumentError(
        absl::StrCat("model width ", config.width, " is no multiple of ", config.heads, " heads"));
  }
  if (!(config.norm_epsilon > 0.0) || !(config.rope_theta > 0.0)) {
    return absl::InvalidArgumentError("model norm epsilon and RoPE theta must be positive");
  }
  return absl::OkStatus();
}

int64_t ParameterCount(const ModelConfig& config) {
  const bool gpt2 = config.family == Family::kGpt2;
  const int64_t d = config.width, f = config.ffn_width, e = config.head_width;
  const int64_t qkv = (config.heads + 2 * config.kv_heads) * e, attended = config.heads * e;
  int64_t layer = d * (qkv + attended) + d * f * (gpt2 ? 2 : 3) + 2 * d;
  if (gpt2) layer += qkv + d + f + d + 2 * d;
  if (config.qkv_bias) layer += qkv;
  if (config.qk_norm) layer += 2 * e;
  int64_t total = config.vocab_size * d + config.layers * layer + d;
  if (gpt2) total += config.max_positions * d + d;
  if (config.head == Head::kScalar) return total + d + (config.score_bias ? 1 : 0);
  return total + (config.tied_head ? 0 : config.vocab_size * d);
}

double TrainingFlopsPerToken(const ModelConfig& config, int64_t context) {
  const double d = static_cast<double>(config.width), e = static_cast<double>(config.head_width);
  const double heads = static_cast<double>(config.heads);
  const double products =
      d * (heads + 2.0 * static_cast<double>(config.kv_heads)) * e + heads * e * d +
      d * static_cast<double>(config.ffn_width) * (config.family == Family::kGpt2 ? 2.0 : 3.0);
  // Two products of the causal half of a context x context matrix.
  const double attention = heads * e * static_cast<double>(context);
  const double head = config.head == Head::kLm ? d * static_cast<double>(config.vocab_size) : d;
  return 6.0 * (static_cast<double>(config.layers) * (products + attention) + head);
}

}  // namespace trainyard::model
