// The shape of a decoder, from and to a Hugging Face config.json. No torch.

#ifndef TRAINYARD_MODEL_CONFIG_H_
#define TRAINYARD_MODEL_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "model/rope.h"

namespace trainyard::model {

// kGpt2: learned positions, LayerNorm, GELU (tanh), biases. kLlama: RoPE (rotate-half), RMSNorm,
// SwiGLU; its relatives (Mistral, Qwen2, Qwen3) differ by the flags of ModelConfig.
enum class Family { kGpt2, kLlama };

// What is read from the last hidden states: a distribution over the next token, or one number.
enum class Head { kLm, kScalar };

struct ModelConfig {
  Family family = Family::kLlama;
  std::string model_type = "llama";  // as in config.json: gpt2, llama, mistral, qwen2, qwen3
  Head head = Head::kLm;
  int64_t vocab_size = 0;  // V
  int64_t width = 0;       // D: hidden_size, n_embd
  int64_t ffn_width = 0;   // F: intermediate_size, n_inner
  int64_t layers = 0;
  int64_t heads = 0;          // H: query heads
  int64_t kv_heads = 0;       // K: divides H
  int64_t head_width = 0;     // E: usually D / H
  int64_t max_positions = 0;  // the context: a longer row is refused
  double norm_epsilon = 1e-5;
  double rope_theta = 10000.0;  // kLlama only
  RopeScaling rope_scaling;     // kLlama only
  // Rows that a query of a windowed layer sees, its own included; 0: no layer has a window.
  int64_t window = 0;
  std::vector<bool> windowed_layers;  // by layer; empty where window is 0
  bool tied_head = true;              // the LM head is the token embedding
  bool qkv_bias = false;              // kLlama only, as the next two; GPT-2 has every bias
  bool out_bias = false;              // of attention's last product
  bool mlp_bias = false;              // of gate, up and down
  bool qk_norm = false;               // RMSNorm over E of queries and keys, before RoPE
  bool score_bias = false;    // kScalar: the head has a bias (a critic; never a reward model)
  int64_t bos_token_id = -1;  // -1: none
  int64_t eos_token_id = -1;
  std::vector<int64_t> more_eos_token_ids;  // what else ends a text
  int64_t pad_token_id = -1;
};

// The window of one layer; 0: none.
int64_t LayerWindow(const ModelConfig& config, int64_t layer);

// Every id that ends a text, the model's own first; empty: none.
std::vector<int64_t> EndTokenIds(const ModelConfig& config);

// Whether the same weights compute the same numbers under both (token ids and the name of the type
// do not matter).
bool SameComputation(const ModelConfig& a, const ModelConfig& b);

struct ParsedConfig {
  ModelConfig config;
  // What was read and has no effect here, one line each: "attn_pdrop 0.1 -> 0".
  std::vector<std::string> ignored;
};

// Reads the fields of a config.json. InvalidArgument names `document`, the field and its value for
// a missing or ill-typed field, an option that is not supported (with those that are) or sizes that
// do not fit each other. An absent field means what transformers takes for it. Head: kScalar for a
// "...ForSequenceClassification" architecture with one label (several labels are refused), else
// kLm.
absl::StatusOr<ParsedConfig> ParseConfig(const Json& json, absl::string_view document);

// The same from a file.
absl::StatusOr<ParsedConfig> ReadConfig(const std::string& path);

// The config.json that `transformers` loads. `dtype_name` is "float32", "bfloat16" or "float64".
Json ConfigJson(const ModelConfig& config, absl::string_view dtype_name);

// InvalidArgument names the field and the rule (sizes positive, heads divisible, even head
// width...).
absl::Status ValidateConfig(const ModelConfig& config);

// Trained numbers in total (a tied head counts once), and the floating-point operations that
// training does per token in matrix products (6 per weight of a product, plus attention at
// `context` tokens).
int64_t ParameterCount(const ModelConfig& config);
double TrainingFlopsPerToken(const ModelConfig& config, int64_t context);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_CONFIG_H_
