#include "rollout/runner.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace trainyard::rollout {
namespace {

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

int64_t HeadFloats(const model::ModelConfig& config) {
  return kBlockTokens * (config.head_width + RoundUp(config.head_width, kernels::kLanes));
}

}  // namespace

int64_t BlockFloats(const model::ModelConfig& config) {
  return config.layers * config.kv_heads * HeadFloats(config);
}

std::string KernelsName(const KernelChoice& kernels, kernels::WeightType products) {
  if (products == kernels::WeightType::kF32) return kernels.fp32.name;
  return absl::StrCat(kernels.fp32.name, "+", kernels.bf16.name);
}

Runner::Runner(const model::ModelConfig& config, int blocks, const KernelChoice& kernels,
               kernels::ThreadPool& pool)
    : config_(config),
      kernels_(kernels.fp32),
      product_kernels_{kernels.fp32, kernels.bf16, {}},
      pool_(pool),
      value_stride_(RoundUp(config.head_width, kernels::kLanes)),
      head_floats_(HeadFloats(config)),
      block_floats_(BlockFloats(config)),
      // Not zeroed: memory that no sequence reaches is never touched.
      cache_(new float[static_cast<size_t>(blocks) * block_floats_]),
      scores_(pool.threads()) {
  for (std::vector<float>& scores : scores_) {
    scores.resize(RoundUp(config.max_positions, kBlockTokens));
  }
  if (config.family == model::Family::kLlama) MakeRopeTables();
}

// In fp32 up to the angle, as transformers computes it.
void Runner::MakeRopeTables() {
  const int64_t half = config_.head_width / 2;
  const model::Rope rope = {config_.rope_theta, config_.rope_scaling};
  std::vector<float> frequencies(half);
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config_.head_width);
    frequencies[i] = std::pow(static_cast<float>(rope.theta), exponent);
  }
  model::RopeFrequencies(rope, absl::MakeSpan(frequencies));
  const float factor = static_cast<float>(rope.scaling.attention_factor);
  cos_PE_.resize(config_.max_positions * half);
  sin_PE_.resize(cos_PE_.size());
  for (int64_t i = 0; i < half; ++i) {
    for (int64_t position = 0; position < config_.max_positions; ++position) {
      const float angle = static_cast<float>(position) * frequencies[i];
      cos_PE_[position * half + i] = static_cast<float>(std::cos(double{angle})) * factor;
      sin_PE_[position * half + i] = static_cast<float>(std::sin(double{angle})) * factor;
    }
  }
}

Runner::HeadCache Runner::CacheOf(int64_t layer, int64_t kv_head) const {
  float* keys = cache_.get() + (layer * config_.kv_heads + kv_head) * head_floats_;
  return {keys, keys + kBlockTokens * config_.head_width};
}

void Runner::CopyBlock(const BlockCopy& copy) {
  std::memcpy(cache_.get() + copy.to * block_floats_, cache_.get() + copy.from * block_floats_,
              block_floats_ * sizeof(float));
}

template <typename Body>
void Runner::ForRows(int rows, const Body& body) {
  // Work per row is a microsecond or less: a few rows a part, or none is worth a second thread.
  constexpr int kRowsPerItem = 8;
  pool_.ForEach((rows + kRowsPerItem - 1) / kRowsPerItem, [&](int item, int) {
    const int end = std::min(rows, (item + 1) * kRowsPerItem);
    for (int row = item * kRowsPerItem; row < end; ++row) body(row);
  });
}

void Runner::Multiply(const float* a, const PackedLinear& linear, int rows, float* out,
                      bool accumulate) {
  const kernels::MatrixRows matrix_rows = {a, linear.matrix.inner(), rows, out,
                                           linear.matrix.columns()};
  const float* bias = linear.bias.empty() ? nullptr : linear.bias.data();
  kernels::Multiply(product_kernels_, pool_, matrix_rows, linear.matrix, {bias, accumulate});
}

void Runner::Embed(const PackedModel& model, const RunRows& rows) {
  const int64_t width = config_.width;
  ForRows(static_cast<int>(rows.token_ids_R.size()), [&](int row) {
    float* hidden = hidden_RD_.data() + row * width;
    const int32_t token = rows.token_ids_R[row];
    if (config_.tied_head) {
      model.lm_head.matrix.CopyColumn(token, hidden);
    } else {
      std::copy_n(model.token_embedding_VD.data() + token * width, width, hidden);
    }
    if (config_.family != model::Family::kGpt2) return;
    const float* position = model.position_embedding_PD.data() + rows.positions_R[row] * width;
    for (int64_t i = 0; i < width; ++i) hidden[i] += position[i];
  });
}

void Runner::Normalise(const PackedNorm& norm, const float* x_RD, float* out_RD, int rows) {
  const int width = static_cast<int>(config_.width);
  const float eps = static_cast<float>(config_.norm_epsilon);
  ForRows(rows, [&](int row) {
    const float* x = x_RD + int64_t{row} * width;
    float* out = out_RD + int64_t{row} * width;
    if (norm.bias.empty()) {
      kernels_.rms_norm(x, norm.weight.data(), width, eps, out);
    } else {
      kernels_.layer_norm({norm.weight.data(), norm.bias.data(), width, eps}, x, out);
    }
  });
}

void Runner::RotateAndNormalise(const std::vector<float>& norm, int position,
                                float* head_E) const {
  const int64_t half = config_.head_width / 2;
  if (!norm.empty()) {
    kernels_.rms_norm(head_E, norm.data(), static_cast<int>(config_.head_width),
                      static_cast<float>(config_.norm_epsilon), head_E);
  }
  const float* cosines = cos_PE_.data() + position * half;
  const float* sines = sin_PE_.data() + position * half;
  for (int64_t i = 0; i < half; ++i) {
    const float low = head_E[i], high = head_E[i + half];
    head_E[i] = low * cosines[i] - high * sines[i];
    head_E[i + half] = high * cosines[i] + low * sines[i];
  }
}

void Runner::StoreKeyValue(int64_t layer, const RunRows& rows, int row) {
  const int64_t width = config_.head_width;
  const int position = rows.positions_R[row];
  const BlockTable& table = *rows.block_tables[rows.sequences_R[row]];
  const int64_t block = table[position / kBlockTokens] * block_floats_;
  const int64_t slot = position % kBlockTokens;
  const int64_t row_floats = (config_.heads + 2 * config_.kv_heads) * width;
  const float* key = qkv_.data() + row * row_floats + config_.heads * width;
  const float* value = key + config_.kv_heads * width;
  for (int64_t head = 0; head < config_.kv_heads; ++head, key += width, value += width) {
    const HeadCache cache = CacheOf(layer, head);
    float* keys = cache.keys + block + slot;
    for (int64_t i = 0; i < width; ++i) keys[i * kBlockTokens] = key[i];
    float* values = cache.values + block + slot * value_stride_;
    std::copy_n(value, width, values);
    std::fill(values + width, values + value_stride_, 0.0f);
  }
}

void Runner::PrepareHeads(const PackedLayer& layer, int64_t index, const RunRows& rows) {
  const int64_t width = config_.head_width;
  const int64_t row_floats = (config_.heads + 2 * config_.kv_heads) * width;
  ForRows(static_cast<int>(rows.token_ids_R.size()), [&](int row) {
    if (config_.family == model::Family::kLlama) {
      float* heads = qkv_.data() + row * row_floats;
      for (int64_t head = 0; head < config_.heads + config_.kv_heads; ++head) {
        const bool query = head < config_.heads;
        RotateAndNormalise(query ? layer.query_norm : layer.key_norm, rows.positions_R[row],
                           heads + head * width);
      }
    }
    StoreKeyValue(index, rows, row);
  });
}

void Runner::Attend(int64_t layer, const RunRows& rows) {
  const int64_t width = config_.head_width, heads = config_.heads;
  const int64_t row_floats = (heads + 2 * config_.kv_heads) * width;
  const float scale = 1.0f / std::sqrt(static_cast<float>(width));
  const int window = static_cast<int>(
      std::min(model::LayerWindow(config_, layer), config_.max_positions));
  const int count = static_cast<int>(rows.token_ids_R.size());
  pool_.ForEach(count * static_cast<int>(heads), [&](int item, int thread) {
    const int row = item / static_cast<int>(heads);
    const int64_t head = item % heads;
    const HeadCache cache = CacheOf(layer, head * config_.kv_heads / heads);
    kernels::AttendArgs args;
    args.query = qkv_.data() + row * row_floats + head * width;
    args.out = attended_.data() + (row * heads + head) * width;
    args.keys = cache.keys;
    args.values = cache.values;
    args.block_stride = block_floats_;
    args.blocks = rows.block_tables[rows.sequences_R[row]]->data();
    args.tokens = rows.positions_R[row] + 1;
    args.first = window == 0 ? 0 : std::max(args.tokens - window, 0);
    args.head_dim = static_cast<int>(width);
    args.value_stride = static_cast<int>(value_stride_);
    args.scale = scale;
    args.scores = scores_[thread].data();
    kernels_.attend(args);
  });
}

void Runner::Mlp(const PackedLayer& layer, int rows) {
  Multiply(normed_RD_.data(), layer.up, rows, up_.data(), false);
  const int ffn = static_cast<int>(config_.ffn_width);
  const bool gated = config_.family == model::Family::kLlama;
  const int64_t stride = gated ? 2 * config_.ffn_width : config_.ffn_width;
  ForRows(rows, [&](int row) {
    float* up = up_.data() + row * stride;
    if (gated) {
      kernels_.silu_mul(up, up + ffn, ffn);
    } else {
      kernels_.gelu_tanh(up, ffn);
    }
  });
  const float* bias = layer.down.bias.empty() ? nullptr : layer.down.bias.data();
  kernels::Multiply(product_kernels_, pool_,
                    {up_.data(), stride, rows, hidden_RD_.data(), config_.width},
                    layer.down.matrix, {bias, true});
}

void Runner::Run(const PackedModel& model, const RunRows& rows) {
  const int count = static_cast<int>(rows.token_ids_R.size());
  const int64_t heads_floats = (config_.heads + 2 * config_.kv_heads) * config_.head_width;
  hidden_RD_.resize(count * config_.width);
  normed_RD_.resize(count * config_.width);
  qkv_.resize(count * heads_floats);
  attended_.resize(count * config_.heads * config_.head_width);
  up_.resize(count * 2 * config_.ffn_width);
  Embed(model, rows);
  for (int64_t i = 0; i < config_.layers; ++i) {
    const PackedLayer& layer = model.layers[i];
    Normalise(layer.attention_norm, hidden_RD_.data(), normed_RD_.data(), count);
    Multiply(normed_RD_.data(), layer.qkv, count, qkv_.data(), false);
    PrepareHeads(layer, i, rows);
    Attend(i, rows);
    Multiply(attended_.data(), layer.out, count, hidden_RD_.data(), true);
    Normalise(layer.mlp_norm, hidden_RD_.data(), normed_RD_.data(), count);
    Mlp(layer, count);
  }
}

void Runner::Logits(const PackedModel& model, absl::Span<const int32_t> rows_M, float* logits_MV) {
  const int64_t width = config_.width;
  chosen_MD_.resize(rows_M.size() * width);
  for (size_t i = 0; i < rows_M.size(); ++i) {
    std::copy_n(hidden_RD_.data() + rows_M[i] * width, width, chosen_MD_.data() + i * width);
  }
  const int count = static_cast<int>(rows_M.size());
  Normalise(model.final_norm, chosen_MD_.data(), chosen_MD_.data(), count);
  Multiply(chosen_MD_.data(), model.lm_head, count, logits_MV, false);
}

}  // namespace trainyard::rollout
