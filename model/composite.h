// The layers' operations written with ATen's own: what runs on devices without kernels of ours, and
// the oracle that model/ops.h is tested against. Differentiable through autograd. Sums and squares
// are taken in fp32 or better.
//
// Shapes: N packed rows, D width, F feed-forward width, H query heads, K key-value heads, E head
// width, P positions.

#ifndef TRAINYARD_MODEL_COMPOSITE_H_
#define TRAINYARD_MODEL_COMPOSITE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/adapter.h"
#include "model/rope.h"

namespace trainyard::model {

// How rows of queries, keys and values are cut into heads and segments.
struct AttentionLayout {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_width = 0;
  std::vector<int64_t> segment_offsets;  // as in PackedTokens
  at::Tensor positions_N;                // int64
  at::Tensor cos_PE;                     // [P, E / 2] angles' cosines; undefined: no RoPE
  at::Tensor sin_PE;
  int64_t window = 0;  // rows that a query sees, its own included; 0: all before it
};

// The tables of rotary embeddings for positions 0..limit-1 (model/rope.h; the halves are rotated as
// in Hugging Face's Llama, and the angles computed in fp32 as there). fp32.
struct RopeTables {
  at::Tensor cos_PE;
  at::Tensor sin_PE;
};
RopeTables MakeRopeTables(int64_t limit, int64_t head_width, const Rope& rope, at::Device device);

namespace composite {

// x weight^T + bias (undefined: none) + the adapters' updates.
at::Tensor AdaptedLinear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const std::vector<Adapter>& adapters);

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon);
at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon);
at::Tensor SwiGlu(const at::Tensor& gate_up_N2F);  // silu(gate) * up
at::Tensor GeluTanh(const at::Tensor& x_NF);

// Causal attention inside each segment: [N, (H + 2K) * E] -> [N, H * E], inert rows 0.
at::Tensor Attention(const at::Tensor& qkv, const AttentionLayout& layout);

}  // namespace composite
}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_COMPOSITE_H_
