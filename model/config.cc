#include "model/config.h"

#include <array>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::model {
namespace {

// Twice the rows that a query sees on average, for the two products of attention.
double VisibleRows(int64_t context, int64_t window) {
  const double all = static_cast<double>(context), seen = static_cast<double>(window);
  return window == 0 || window >= context ? all : seen * (2.0 - seen / all);
}

}  // namespace

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
  if (!(config.norm_epsilon > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("model norm epsilon is ", config.norm_epsilon, ", must be positive"));
  }
  const int64_t windowed = static_cast<int64_t>(config.windowed_layers.size());
  if (config.window < 0 || windowed != (config.window > 0 ? config.layers : 0)) {
    return absl::InvalidArgumentError(absl::StrCat("model window of ", config.window, " with ",
                                                   windowed, " windowed or other layers, must ",
                                                   "name each of ", config.layers, " or none"));
  }
  return ValidateRope({config.rope_theta, config.rope_scaling});
}

int64_t LayerWindow(const ModelConfig& config, int64_t layer) {
  return config.window > 0 && config.windowed_layers[layer] ? config.window : 0;
}

std::vector<int64_t> EndTokenIds(const ModelConfig& config) {
  std::vector<int64_t> ids;
  if (config.eos_token_id >= 0) ids.push_back(config.eos_token_id);
  for (const int64_t id : config.more_eos_token_ids) {
    if (!absl::c_linear_search(ids, id)) ids.push_back(id);
  }
  return ids;
}

bool SameComputation(const ModelConfig& a, const ModelConfig& b) {
  const auto sizes = [](const ModelConfig& c) {
    return std::array{c.vocab_size, c.width,    c.ffn_width,  c.layers,
                      c.heads,      c.kv_heads, c.head_width, c.max_positions};
  };
  const auto flags = [](const ModelConfig& c) {
    return std::array{c.tied_head, c.qkv_bias, c.out_bias, c.mlp_bias, c.qk_norm, c.score_bias};
  };
  return a.family == b.family && a.head == b.head && sizes(a) == sizes(b) && flags(a) == flags(b) &&
         a.norm_epsilon == b.norm_epsilon && a.rope_theta == b.rope_theta &&
         a.rope_scaling == b.rope_scaling && a.window == b.window &&
         a.windowed_layers == b.windowed_layers;
}

int64_t ParameterCount(const ModelConfig& config) {
  const bool gpt2 = config.family == Family::kGpt2;
  const int64_t d = config.width, f = config.ffn_width, e = config.head_width;
  const int64_t qkv = (config.heads + 2 * config.kv_heads) * e, attended = config.heads * e;
  int64_t layer = d * (qkv + attended) + d * f * (gpt2 ? 2 : 3) + 2 * d;
  if (gpt2) layer += qkv + d + f + d + 2 * d;
  if (config.qkv_bias) layer += qkv;
  if (config.out_bias) layer += d;
  if (config.mlp_bias) layer += 2 * f + d;
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
  double attention = 0.0;
  for (int64_t i = 0; i < config.layers; ++i) {
    attention += heads * e * VisibleRows(context, LayerWindow(config, i));
  }
  const double head = config.head == Head::kLm ? d * static_cast<double>(config.vocab_size) : d;
  return 6.0 * (static_cast<double>(config.layers) * products + attention + head);
}

}  // namespace trainyard::model
