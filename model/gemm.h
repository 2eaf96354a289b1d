// Matrix products on the CPU with wide results: bfloat16 factors give fp32, accumulated in fp32.
//
// A row of kABt and kAB depends only on that row and the other factor, not on the number of rows,
// when the number is a multiple of kRowMultiple (measured: see tests/model/gemm_test.cc). With one
// row it does not hold for any library we know.
//
// Same thread and exception rules as model/transformer.h.

#ifndef TRAINYARD_MODEL_GEMM_H_
#define TRAINYARD_MODEL_GEMM_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace trainyard::model {

// Packed rows come in multiples of this.
inline constexpr int64_t kRowMultiple = 16;

inline constexpr int64_t PaddedRows(int64_t rows) {
  return (rows + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
}

// fp32 for bfloat16 and fp32, float64 for float64: the type of logits, losses and sums.
at::ScalarType WideType(at::ScalarType type);

// What is done with row-major factors: out = a b^T, a b, or a^T b.
enum class Product { kABt, kAB, kAtB };

// out = product, or out += product with `accumulate`. Factors have one type and unit column stride;
// `out` has that type or its WideType (accumulate: the wide one only). Any device.
void Multiply(Product product, const at::Tensor& a, const at::Tensor& b, const at::Tensor& out,
              bool accumulate = false);

// The same on plain memory, on the calling thread or on torch's threads as the library decides;
// leading dimensions in items. Types: double x double, float x float, bfloat16 x bfloat16 -> float.
struct RawProduct {
  Product product = Product::kABt;
  int64_t rows = 0, columns = 0, inner = 0;
  int64_t a_stride = 0, b_stride = 0, out_stride = 0;
  double scale = 1.0;
  bool accumulate = false;
};
void MultiplyRaw(const RawProduct& shape, const double* a, const double* b, double* out);
void MultiplyRaw(const RawProduct& shape, const float* a, const float* b, float* out);
void MultiplyRaw(const RawProduct& shape, const at::BFloat16* a, const at::BFloat16* b, float* out);

// While it lives, products of this thread run on this thread alone. For use inside parallel
// regions.
class OneProductThread {
 public:
  OneProductThread();
  ~OneProductThread();
  OneProductThread(const OneProductThread&) = delete;
  OneProductThread& operator=(const OneProductThread&) = delete;

 private:
  const int before_;
};

// What runs products of bfloat16 numbers on this machine's CPU.
enum class Bf16Products {
  kTiles,    // Intel AMX, through MKL
  kVectors,  // AVX512_BF16, through oneDNN, where the result is bfloat16; else as kWidened
  kWidened,  // fp32 products of widened factors
};
Bf16Products Bf16ProductsHere();

// The product of kWidened.
void MultiplyWidened(const RawProduct& shape, const at::BFloat16* a, const at::BFloat16* b,
                     float* out);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_GEMM_H_
