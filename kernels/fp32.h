// CPU compute kernels in fp32 over plain pointers.
//
// The contract that everything else stands on: the bits of one output row depend only on that row's
// inputs, the weights and the instruction set, never on how many other rows are computed with it,
// on the tile they fall in, or on the thread. Every dot product is one chain of adds over k, in
// order; every other sum runs over 16 fixed lanes that are folded in a fixed order.
//
// A table of functions per instruction set; the functions hold no state and may run on any thread.
// Pointers need no alignment. Shapes: R rows, K inner, N columns, T context tokens.

#ifndef TRAINYARD_KERNELS_FP32_H_
#define TRAINYARD_KERNELS_FP32_H_

#include <cstdint>

namespace trainyard::kernels {

inline constexpr int kPanelColumns = 32;  // columns of a packed weight panel
inline constexpr int kBlockTokens = 16;   // tokens of one block of the key/value cache
inline constexpr int kLanes = 16;         // lanes of every fixed-order reduction

// out_RN = a_RK * weight_KN (+ bias_N) (+ out_RN when `accumulate`).
struct GemmArgs {
  const float* a = nullptr;  // R rows of K, `a_stride` floats apart
  int64_t a_stride = 0;
  int rows = 0;
  int inner = 0;
  const float* panels = nullptr;  // ceil(N / 32) panels of [K][32], the last padded with zeros
  int columns = 0;                // N
  const float* bias = nullptr;    // N, or null
  float* out = nullptr;           // R rows of N, `out_stride` floats apart
  int64_t out_stride = 0;
  bool accumulate = false;
};

// Attention of one query row and one head over the tokens `first` to `tokens` - 1 of its sequence.
// Keys of a block lie transposed, [head_dim][16]; values lie [16][value_stride].
struct AttendArgs {
  const float* query = nullptr;   // head_dim
  float* out = nullptr;           // head_dim
  const float* keys = nullptr;    // this head's keys in block 0 of the cache
  const float* values = nullptr;  // this head's values in block 0 of the cache
  int64_t block_stride = 0;       // floats from one block of the cache to the next
  const int32_t* blocks = nullptr;  // block numbers of the sequence
  int first = 0;                  // more than 0: a window
  int tokens = 0;                 // T > first
  int head_dim = 0;
  int value_stride = 0;  // head_dim rounded up to 16
  float scale = 1;
  float* scores = nullptr;  // scratch, T rounded up to 16
};

// out[i] = exp((x[i] - max) * inverse_temperature), exactly 0 for x[i] = -inf.
struct ExpSumArgs {
  const float* x = nullptr;  // n
  int n = 0;
  float max = 0;
  float inverse_temperature = 1;
  float* out = nullptr;         // n; may be x
  float* chunk_sums = nullptr;  // sum of each 256 neighbours of out
};

inline constexpr int kExpChunk = 256;

struct LayerNormArgs {
  const float* weight = nullptr;  // n
  const float* bias = nullptr;    // n
  int n = 0;
  float eps = 0;
};

struct Fp32Kernels {
  const char* name;
  void (*gemm)(const GemmArgs& args);
  void (*attend)(const AttendArgs& args);
  // out = x / rms(x) * weight, rms over n with eps under the root (arXiv:1910.07467).
  void (*rms_norm)(const float* x, const float* weight, int n, float eps, float* out);
  // out = (x - mean) / std * weight + bias (arXiv:1607.06450).
  void (*layer_norm)(const LayerNormArgs& args, const float* x, float* out);
  // x[i] = silu(x[i]) * up[i].
  void (*silu_mul)(float* x, const float* up, int n);
  // x[i] = gelu(x[i]), tanh approximation (arXiv:1606.08415).
  void (*gelu_tanh)(float* x, int n);
  // The greatest of n >= 1 values; NaN when one of them is NaN.
  float (*row_max)(const float* x, int n);
  // Returns the sum of the chunk sums, taken in double, in order.
  double (*exp_sum)(const ExpSumArgs& args);
};

// The table of one instruction set; null when it was not compiled in or this CPU lacks it.
const Fp32Kernels* PlainFp32Kernels();
const Fp32Kernels* Avx2Fp32Kernels();
const Fp32Kernels* Avx512Fp32Kernels();

// The fastest of them here. Its name is part of a task's numerics_id.
const Fp32Kernels& BestFp32Kernels();

}  // namespace trainyard::kernels

#endif  // TRAINYARD_KERNELS_FP32_H_
