// From and to config.json.

#include <algorithm>
#include <array>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "model/config.h"

namespace trainyard::model {
namespace {

// Which layers may see a window of rows only.
enum class Windows { kNone, kEveryLayer, kByLayer };

// The members of kLlama: how they are called, what sets them apart, and what transformers takes
// for an absent field (0: derived from the other sizes).
struct LlamaVariant {
  absl::string_view model_type;
  absl::string_view class_prefix;
  bool qkv_bias;  // whatever the config says
  bool qk_norm;
  bool attention_option;  // attention_bias is read: queries, keys, values and the last product
  bool mlp_option;        // and so is mlp_bias
  Windows windows;
  int64_t absent_kv_heads;
  int64_t absent_head_width;
};
constexpr std::array<LlamaVariant, 4> kLlamaVariants = {
    {{"llama", "Llama", false, false, true, true, Windows::kNone, 0, 0},
     {"mistral", "Mistral", false, false, false, false, Windows::kEveryLayer, 8, 0},
     {"qwen2", "Qwen2", true, false, false, false, Windows::kByLayer, 32, 0},
     {"qwen3", "Qwen3", false, true, true, false, Windows::kByLayer, 32, 128}}};

constexpr int64_t kAbsentWindow = 4096;         // Mistral and Qwen
constexpr int64_t kAbsentMaxWindowLayers = 28;  // Qwen: the layers before have no window

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

// Fields that change nothing that is computed here, or are read somewhere in this file.
// clang-format off
constexpr absl::string_view kKnownFields[] = {
    "_attn_implementation_autoset", "_name_or_path", "activation_function", "add_cross_attention",
    "architectures", "attention_bias", "attention_dropout", "attn_pdrop", "bos_token_id",
    "chunk_size_feed_forward", "dtype", "embd_pdrop", "eos_token_id", "gradient_checkpointing",
    "head_dim", "hidden_act", "hidden_size", "id2label", "initializer_range", "intermediate_size",
    "label2id", "layer_norm_epsilon", "max_position_embeddings", "mlp_bias", "model_type", "n_ctx",
    "n_embd", "n_head", "n_inner", "n_layer", "n_positions", "num_attention_heads",
    "num_hidden_layers", "num_key_value_heads", "original_max_position_embeddings",
    "output_attentions", "output_hidden_states", "pad_token_id", "partial_rotary_factor",
    "pretraining_tp", "problem_type", "resid_pdrop", "return_dict", "rms_norm_eps",
    "rope_parameters", "rope_scaling", "rope_theta", "scale_attn_by_inverse_layer_idx",
    "scale_attn_weights", "score_bias", "summary_activation", "summary_first_dropout",
    "summary_proj_to_labels", "summary_type", "summary_use_proj", "task_specific_params",
    "tie_word_embeddings", "torch_dtype", "transformers_version", "use_cache", "vocab_size"};
// clang-format on
constexpr absl::string_view kWindowFields[] = {"sliding_window", "layer_types", "max_window_layers",
                                               "use_sliding_window"};

// The fields of windows that a type reads: none, the first, or all.
absl::Span<const absl::string_view> WindowFieldsOf(const ModelConfig& config) {
  const LlamaVariant* variant = FindVariant(config.model_type);
  if (variant == nullptr || variant->windows == Windows::kNone) return {};
  return absl::MakeConstSpan(kWindowFields, variant->windows == Windows::kEveryLayer ? 1 : 4);
}

// transformers passes over fields that it does not know; so do we, saying so. A field that is off
// says nothing.
void NoteUnknownFields(const Json& json, const ModelConfig& config,
                       std::vector<std::string>* ignored) {
  for (const auto& [field, value] : json.items()) {
    const bool off = value.is_null() || value == false || (value.is_structured() && value.empty());
    if (off || absl::c_linear_search(kKnownFields, field) ||
        absl::c_linear_search(WindowFieldsOf(config), field)) {
      continue;
    }
    ignored->push_back(absl::StrCat(field, " is no option of a ", config.model_type, " model"));
  }
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
  if (reader.Has("eos_token_id") && json["eos_token_id"].is_array()) {
    for (size_t i = 1; i < json["eos_token_id"].size(); ++i) {
      const Json& id = json["eos_token_id"][i];
      if (id.is_number_integer()) config->more_eos_token_ids.push_back(id.get<int64_t>());
    }
  }
  TY_ASSIGN_OR_RETURN(config->bos_token_id, TokenId(reader, json, "bos_token_id"));
  TY_ASSIGN_OR_RETURN(config->eos_token_id, TokenId(reader, json, "eos_token_id"));
  TY_ASSIGN_OR_RETURN(config->pad_token_id, TokenId(reader, json, "pad_token_id"));
  return absl::OkStatus();
}

// What transformers calls the classes of the model's type.
struct ClassNames {
  std::string language_model, base, score;
};
ClassNames ClassNamesOf(const ModelConfig& config) {
  constexpr char kScore[] = "ForSequenceClassification";
  if (config.family == Family::kGpt2) {
    return {"GPT2LMHeadModel", "GPT2Model", absl::StrCat("GPT2", kScore)};
  }
  const absl::string_view prefix = FindVariant(config.model_type)->class_prefix;
  return {absl::StrCat(prefix, "ForCausalLM"), absl::StrCat(prefix, "Model"),
          absl::StrCat(prefix, kScore)};
}

absl::Status ReadHead(const JsonReader& reader, const Json& json, absl::string_view document,
                      ModelConfig* config) {
  if (!reader.Has("architectures")) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const Json* architectures, reader.Array("architectures"));
  if (architectures->empty() || !architectures->front().is_string()) return absl::OkStatus();
  const std::string name = architectures->front().get<std::string>();
  const ClassNames known = ClassNamesOf(*config);
  if (name == known.language_model || name == known.base) return absl::OkStatus();
  if (name != known.score) {
    return Unsupported(document, "architectures", name,
                       absl::StrJoin({known.language_model, known.base, known.score}, ", "));
  }
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
    return Unsupported(document, "activation_function", activation, "gelu_new, gelu_pytorch_tanh");
  }
  for (const char* field : {"scale_attn_by_inverse_layer_idx", "add_cross_attention"}) {
    TY_RETURN_IF_ERROR(MustBeFalse(reader, document, field));
  }
  TY_ASSIGN_OR_RETURN(const bool scaled, reader.Bool("scale_attn_weights", true));
  if (!scaled) return Unsupported(document, "scale_attn_weights", "false", "true");
  for (const char* field : {"attn_pdrop", "embd_pdrop", "resid_pdrop", "summary_first_dropout"}) {
    TY_RETURN_IF_ERROR(NoteDropout(reader, field, &parsed->ignored));
  }
  return absl::OkStatus();
}

absl::Status ReadBiases(const JsonReader& reader, absl::string_view document,
                        const LlamaVariant& variant, ModelConfig* config) {
  config->qkv_bias = variant.qkv_bias;
  if (variant.attention_option) {
    TY_ASSIGN_OR_RETURN(config->out_bias, reader.Bool("attention_bias", false));
    config->qkv_bias = config->out_bias;
  } else if (!variant.qkv_bias) {
    TY_RETURN_IF_ERROR(MustBeFalse(reader, document, "attention_bias"));
  }
  if (!variant.mlp_option) return MustBeFalse(reader, document, "mlp_bias");
  TY_ASSIGN_OR_RETURN(config->mlp_bias, reader.Bool("mlp_bias", false));
  return absl::OkStatus();
}

// Which layers `layer_types` names as windowed.
absl::StatusOr<std::vector<bool>> ReadLayerTypes(const JsonReader& reader,
                                                 absl::string_view document, int64_t layers) {
  TY_ASSIGN_OR_RETURN(const Json* types, reader.Array("layer_types"));
  std::vector<bool> windowed;
  for (const Json& type : *types) {
    if (type != "full_attention" && type != "sliding_attention") {
      return Unsupported(document, "layer_types", type.dump(), "full_attention, sliding_attention");
    }
    windowed.push_back(type == "sliding_attention");
  }
  if (static_cast<int64_t>(windowed.size()) == layers) return windowed;
  return absl::InvalidArgumentError(absl::StrCat(document, ": layer_types names ", windowed.size(),
                                                 " layers, num_hidden_layers is ", layers));
}

// Qwen's windowed layers: those of layer_types, else those from max_window_layers on.
absl::StatusOr<std::vector<bool>> ReadWindowedLayers(const JsonReader& reader,
                                                     absl::string_view document, int64_t layers) {
  if (reader.Has("layer_types")) return ReadLayerTypes(reader, document, layers);
  TY_ASSIGN_OR_RETURN(const int64_t first, reader.Int("max_window_layers", kAbsentMaxWindowLayers));
  std::vector<bool> windowed(layers, false);
  for (int64_t i = std::max<int64_t>(first, 0); i < layers; ++i) windowed[i] = true;
  return windowed;
}

absl::Status ReadWindow(const JsonReader& reader, const Json& json, absl::string_view document,
                        ModelConfig* config) {
  const Windows windows = FindVariant(config->model_type)->windows;
  if (windows == Windows::kNone) return MustBeFalse(reader, document, "use_sliding_window");
  // An absent window is transformers' own, null is none.
  const int64_t absent = json.contains("sliding_window") ? 0 : kAbsentWindow;
  TY_ASSIGN_OR_RETURN(int64_t window, reader.Int("sliding_window", absent));
  if (reader.Has("sliding_window") && window < 1) {
    return Unsupported(document, "sliding_window", absl::StrCat(window), "null, or at least 1");
  }
  std::vector<bool> windowed(config->layers, true);
  if (windows == Windows::kByLayer) {
    TY_ASSIGN_OR_RETURN(const bool used, reader.Bool("use_sliding_window", false));
    if (!used) window = 0;
    TY_ASSIGN_OR_RETURN(windowed, ReadWindowedLayers(reader, document, config->layers));
    if (window == 0 && reader.Has("layer_types") && absl::c_linear_search(windowed, true)) {
      return Unsupported(document, "layer_types", "with sliding_attention and no window",
                         "with use_sliding_window true and a sliding_window");
    }
  }
  if (window == 0 || !absl::c_linear_search(windowed, true)) return absl::OkStatus();
  config->window = window;
  config->windowed_layers = std::move(windowed);
  return absl::OkStatus();
}

absl::Status ReadLlamaOptions(const JsonReader& reader, const Json& json,
                              absl::string_view document, ParsedConfig* parsed) {
  ModelConfig& config = parsed->config;
  TY_ASSIGN_OR_RETURN(const std::string activation, reader.String("hidden_act", "silu"));
  if (activation != "silu") return Unsupported(document, "hidden_act", activation, "silu");
  TY_RETURN_IF_ERROR(ReadBiases(reader, document, *FindVariant(config.model_type), &config));
  TY_RETURN_IF_ERROR(ReadWindow(reader, json, document, &config));
  TY_ASSIGN_OR_RETURN(const int64_t slices, reader.Int("pretraining_tp", 1));
  if (slices != 1) parsed->ignored.push_back(absl::StrCat("pretraining_tp ", slices, " -> 1"));
  return NoteDropout(reader, "attention_dropout", &parsed->ignored);
}

absl::Status ReadLlamaSizes(const JsonReader& reader, const Json& json, ModelConfig* config) {
  const LlamaVariant& variant = *FindVariant(config->model_type);
  TY_ASSIGN_OR_RETURN(config->vocab_size, reader.Int("vocab_size"));
  TY_ASSIGN_OR_RETURN(config->width, reader.Int("hidden_size"));
  TY_ASSIGN_OR_RETURN(config->ffn_width, reader.Int("intermediate_size"));
  TY_ASSIGN_OR_RETURN(config->layers, reader.Int("num_hidden_layers"));
  TY_ASSIGN_OR_RETURN(config->heads, reader.Int("num_attention_heads"));
  const bool absent = variant.absent_kv_heads > 0 && !json.contains("num_key_value_heads");
  TY_ASSIGN_OR_RETURN(
      config->kv_heads,
      reader.Int("num_key_value_heads", absent ? variant.absent_kv_heads : config->heads));
  int64_t head_width = variant.absent_head_width;
  if (head_width == 0 && config->heads > 0) head_width = config->width / config->heads;
  TY_ASSIGN_OR_RETURN(config->head_width, reader.Int("head_dim", head_width));
  TY_ASSIGN_OR_RETURN(config->max_positions, reader.Int("max_position_embeddings"));
  TY_ASSIGN_OR_RETURN(config->norm_epsilon, reader.Double("rms_norm_eps", 1e-6));
  TY_ASSIGN_OR_RETURN(config->tied_head, reader.Bool("tie_word_embeddings", false));
  return absl::OkStatus();
}

absl::Status ReadLlama(const JsonReader& reader, const Json& json, absl::string_view document,
                       ParsedConfig* parsed) {
  ModelConfig& config = parsed->config;
  config.family = Family::kLlama;
  config.qk_norm = FindVariant(config.model_type)->qk_norm;
  TY_RETURN_IF_ERROR(ReadLlamaSizes(reader, json, &config));
  TY_ASSIGN_OR_RETURN(const Rope rope,
                      ParseRope(json, document, config.max_positions, &parsed->ignored));
  config.rope_theta = rope.theta;
  config.rope_scaling = rope.scaling;
  TY_RETURN_IF_ERROR(Annotate(ValidateConfig(config), document));
  return ReadLlamaOptions(reader, json, document, parsed);
}

Json NullableId(int64_t id) { return id < 0 ? Json(nullptr) : Json(id); }

// One id, or a list where several end a text.
Json EndTokens(const ModelConfig& config) {
  const std::vector<int64_t> ids = EndTokenIds(config);
  return ids.size() > 1 ? Json(ids) : NullableId(config.eos_token_id);
}

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

void WriteWindow(const ModelConfig& config, Windows windows, Json* json) {
  (*json)["sliding_window"] = config.window > 0 ? Json(config.window) : Json(nullptr);
  if (windows == Windows::kEveryLayer) return;
  (*json)["use_sliding_window"] = config.window > 0;
  if (config.window == 0) return;
  Json types = Json::array();
  for (const bool windowed : config.windowed_layers) {
    types.push_back(windowed ? "sliding_attention" : "full_attention");
  }
  // For readers that do not know the list.
  const auto first = absl::c_find(config.windowed_layers, true);
  (*json)["max_window_layers"] = first - config.windowed_layers.begin();
  (*json)["layer_types"] = std::move(types);
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
  (*json)["hidden_act"] = "silu";
  (*json)["attention_bias"] = config.out_bias;
  (*json)["attention_dropout"] = 0.0;
  WriteRope({config.rope_theta, config.rope_scaling}, json);
  const LlamaVariant& variant = *FindVariant(config.model_type);
  if (variant.mlp_option) (*json)["mlp_bias"] = config.mlp_bias;
  if (variant.windows != Windows::kNone) WriteWindow(config, variant.windows, json);
}

}  // namespace

absl::StatusOr<ParsedConfig> ParseConfig(const Json& json, absl::string_view document) {
  const JsonReader reader(json, document);
  ParsedConfig parsed;
  TY_ASSIGN_OR_RETURN(parsed.config.model_type, reader.String("model_type"));
  if (parsed.config.model_type == "gpt2") {
    TY_RETURN_IF_ERROR(ReadGpt2(reader, document, &parsed));
  } else if (FindVariant(parsed.config.model_type) != nullptr) {
    TY_RETURN_IF_ERROR(ReadLlama(reader, json, document, &parsed));
  } else {
    return Unsupported(document, "model_type", parsed.config.model_type,
                       "gpt2, llama, mistral, qwen2, qwen3");
  }
  TY_RETURN_IF_ERROR(ReadTokenIds(reader, json, &parsed.config));
  TY_RETURN_IF_ERROR(ReadHead(reader, json, document, &parsed.config));
  if (reader.Has("quantization_config")) {
    return Unsupported(document, "quantization_config", "of any kind",
                       "weights as they are: F32, BF16, F16");
  }
  NoteUnknownFields(json, parsed.config, &parsed.ignored);
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
  const ClassNames names = ClassNamesOf(config);
  Json json = {{"model_type", config.model_type},
               {"architectures", {scalar ? names.score : names.language_model}},
               {"vocab_size", config.vocab_size},
               {"tie_word_embeddings", config.tied_head},
               {"initializer_range", 0.02},
               {"use_cache", true},
               {"dtype", std::string(dtype_name)},
               {"bos_token_id", NullableId(config.bos_token_id)},
               {"eos_token_id", EndTokens(config)},
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

}  // namespace trainyard::model
