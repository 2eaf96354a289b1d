// Causal attention inside the segments of packed rows, on the CPU, with its gradient. RoPE is
// applied on the way in. One task for each (segment, key-value head), computed alone and in one
// order: a segment's result has the same bits whatever is packed beside it and however many threads
// there are.
//
// Method: scores a block of query rows at a time (Dao et al., arXiv:2205.14135, without the blocks
// of keys: rows are short here), made again in the backward pass from the saved normalisers.

#ifndef TRAINYARD_MODEL_ATTENTION_H_
#define TRAINYARD_MODEL_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include "model/composite.h"

namespace trainyard::model {

// [N, (H + 2K) * E] -> [N, H * E] on the CPU; inert rows give 0.
at::Tensor CpuAttention(const at::Tensor& qkv, const AttentionLayout& layout);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ATTENTION_H_
