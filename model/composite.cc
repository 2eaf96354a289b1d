#include "model/composite.h"

#include <ATen/ATen.h>

#include <optional>

#include "model/gemm.h"

namespace trainyard::model {

RopeTables MakeRopeTables(int64_t limit, int64_t head_width, const Rope& rope, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  const at::Tensor exponents =
      at::arange(0, head_width, 2, options) / static_cast<double>(head_width);
  const at::Tensor powers = at::pow(rope.theta, exponents);
  const auto tables_of = [&](const at::Tensor& frequencies) -> RopeTables {
    const at::Tensor angles = at::outer(at::arange(limit, options), frequencies);
    return {angles.cos(), angles.sin()};
  };
  if (rope.scaling.type == RopeType::kDefault) return tables_of(powers.reciprocal());
  const at::Tensor stretched = powers.cpu();
  RopeFrequencies(rope, {stretched.mutable_data_ptr<float>(), static_cast<size_t>(head_width / 2)});
  const RopeTables tables = tables_of(stretched.to(device));
  const double factor = rope.scaling.attention_factor;
  return {tables.cos_PE * factor, tables.sin_PE * factor};
}

namespace composite {
namespace {

// x: [T, heads, E]; cos, sin: [T, 1, E / 2].
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = x.size(2) / 2;
  const at::Tensor low = x.narrow(2, 0, half), high = x.narrow(2, half, half);
  return at::cat({low * cos - high * sin, high * cos + low * sin}, 2);
}

at::Tensor RotateRows(const at::Tensor& x, const AttentionLayout& layout,
                      const at::Tensor& positions) {
  if (!layout.cos_PE.defined()) return x;
  const auto wide = WideType(x.scalar_type());
  const at::Tensor cos = layout.cos_PE.index_select(0, positions).unsqueeze(1).to(wide);
  const at::Tensor sin = layout.sin_PE.index_select(0, positions).unsqueeze(1).to(wide);
  return Rotate(x.to(wide), cos, sin).to(x.scalar_type());
}

}  // namespace

at::Tensor AdaptedLinear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const std::vector<Adapter>& adapters) {
  const at::Tensor out = at::linear(x, weight, bias);
  const auto type = x.scalar_type();
  for (const Adapter& adapter : adapters) {
    const at::Tensor input = adapter.merged ? x.detach() : x;
    at::Tensor update =
        at::linear(at::linear(input, adapter.a_RI.to(type)), adapter.b_OR.to(type));
    // The factors' gradients alone: a zero whose derivative by them is the update's.
    if (adapter.merged) update = update - update.detach();
    out.narrow(1, adapter.first_row, adapter.b_OR.size(0)).add_(update, adapter.scale);
  }
  return out;
}

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const at::Tensor wide = x.to(WideType(x.scalar_type()));
  const at::Tensor inverse = (wide.square().mean({-1}, true) + epsilon).rsqrt();
  return (wide * inverse).to(x.scalar_type()) * weight;
}

at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon) {
  return at::layer_norm(x, weight.sizes(), weight, bias, epsilon);
}

at::Tensor SwiGlu(const at::Tensor& gate_up_N2F) {
  const std::vector<at::Tensor> halves = gate_up_N2F.chunk(2, 1);
  return at::silu(halves[0]) * halves[1];
}

at::Tensor GeluTanh(const at::Tensor& x_NF) { return at::gelu(x_NF, "tanh"); }

at::Tensor Attention(const at::Tensor& qkv, const AttentionLayout& layout) {
  const int64_t h = layout.heads, k = layout.kv_heads, e = layout.head_width;
  std::vector<at::Tensor> pieces;
  for (size_t s = 0; s + 1 < layout.segment_offsets.size(); ++s) {
    const int64_t begin = layout.segment_offsets[s];
    const int64_t rows = layout.segment_offsets[s + 1] - begin;
    const at::Tensor segment = qkv.narrow(0, begin, rows).view({rows, h + 2 * k, e});
    const at::Tensor positions = layout.positions_N.narrow(0, begin, rows);
    // A mask, where there is more to hide than what comes later.
    const bool windowed = layout.window > 0 && layout.window < rows;
    std::optional<at::Tensor> mask;
    if (windowed) {
      mask = at::ones({rows, rows}, qkv.options().dtype(at::kBool)).tril().triu(1 - layout.window);
    }
    const auto heads_first = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
    const at::Tensor attended = at::scaled_dot_product_attention(
        heads_first(RotateRows(segment.narrow(1, 0, h), layout, positions)),
        heads_first(RotateRows(segment.narrow(1, h, k), layout, positions)),
        heads_first(segment.narrow(1, h + k, k)), mask, 0.0, /*is_causal=*/!windowed, std::nullopt,
        /*enable_gqa=*/h != k);
    pieces.push_back(attended.squeeze(0).transpose(0, 1).reshape({rows, h * e}));
  }
  const int64_t inert = qkv.size(0) - layout.segment_offsets.back();
  if (inert > 0) pieces.push_back(at::zeros({inert, h * e}, qkv.options()));
  return at::cat(pieces, 0);
}

}  // namespace composite
}  // namespace trainyard::model
