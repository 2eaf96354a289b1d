// Products in bfloat16 with sums in fp32, over plain pointers.
//
// The contract is that of kernels/fp32.h: the bits of one output row depend only on that row's
// inputs, the weights and the instruction set. Each instruction set rounds its sums in its own way:
// its name belongs into a numerics_id.
//
// Shapes: R rows, K inner, N columns. bf16 numbers are the upper halves of fp32 numbers.

#ifndef TRAINYARD_KERNELS_BF16_H_
#define TRAINYARD_KERNELS_BF16_H_

#include <cstdint>

namespace trainyard::kernels {

inline constexpr int kBf16Inner = 32;     // K is padded with zeros to a multiple of it
inline constexpr int kBf16RowBlock = 16;  // so many rows must be readable where one is given

// out_RN = a_RK * weight_KN (+ bias_N) (+ out_RN when `accumulate`).
struct Bf16GemmArgs {
  const uint16_t* a = nullptr;  // R rows of K; memory for R rounded up to kBf16RowBlock rows
  int64_t a_stride = 0;         // elements from one row to the next
  int rows = 0;
  int inner = 0;                     // K, a multiple of kBf16Inner
  const uint16_t* panels = nullptr;  // ceil(N / 32) panels of [K / 2][32][2]
  int columns = 0;                   // N
  const float* bias = nullptr;       // N, or null
  float* out = nullptr;              // R rows of N, `out_stride` floats apart
  int64_t out_stride = 0;
  bool accumulate = false;
};

struct Bf16Kernels {
  const char* name;
  void (*gemm)(const Bf16GemmArgs& args);
};

// The table of one instruction set; null when it was not compiled in or this CPU lacks it.
const Bf16Kernels* PlainBf16Kernels();   // widens to fp32
const Bf16Kernels* Avx2Bf16Kernels();    // widens to fp32
const Bf16Kernels* Avx512Bf16Kernels();  // AVX512_BF16
const Bf16Kernels* AmxBf16Kernels();     // tiles; asks the kernel for their use, once

// The fastest of them here.
const Bf16Kernels& BestBf16Kernels();

// To the nearest, ties to even; NaN stays NaN.
void RoundToBf16(const float* x, int64_t n, uint16_t* out);
inline float WidenBf16(uint16_t x) { return __builtin_bit_cast(float, uint32_t{x} << 16); }

}  // namespace trainyard::kernels

#endif  // TRAINYARD_KERNELS_BF16_H_
