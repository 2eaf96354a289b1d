// A weight matrix in the layout that the kernels read.

#ifndef TRAINYARD_KERNELS_PACKED_MATRIX_H_
#define TRAINYARD_KERNELS_PACKED_MATRIX_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/bf16.h"
#include "kernels/fp32.h"
#include "kernels/thread_pool.h"

namespace trainyard::kernels {

enum class WeightType { kF32, kBf16 };

// weight_KN as ceil(N / 32) panels, padded with zeros: in fp32 of [K][32], in bf16 of
// [K / 2][32][2] with K rounded up to kBf16Inner. Movable; its parts are filled by SetColumns, so
// that several matrices side by side (query, key, value) become one. Lies in huge pages where it is
// large enough to matter: a fault less for each 4 KiB, and fewer misses where panels are read.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  PackedMatrix(int inner, int columns, WeightType type = WeightType::kF32);

  // Columns [begin, begin + count) = source, rounded to the type. Column c's K values start at
  // source + c * column_stride and lie `inner_stride` apart: a [N, K] row-major weight has strides
  // (K, 1), a [K, N] one (1, N). One of the two is 1.
  void SetColumns(int begin, int count, const float* source, int64_t column_stride,
                  int64_t inner_stride);

  // out_K = column `column`: a row of a tied embedding.
  void CopyColumn(int column, float* out) const;

  WeightType type() const { return type_; }
  int inner() const { return inner_; }
  int padded_inner() const { return padded_inner_; }  // K with its padding
  int columns() const { return columns_; }
  int panels() const { return (columns_ + kPanelColumns - 1) / kPanelColumns; }
  // Of a matrix of that type.
  const float* panel(int index) const { return Panel<float>(index); }
  const uint16_t* bf16_panel(int index) const { return Panel<uint16_t>(index); }

 private:
  struct FreeMemory {
    void operator()(char* memory) const { std::free(memory); }
  };

  template <typename T>
  T* Panel(int index) const {
    return reinterpret_cast<T*>(memory_.get()) +
           static_cast<int64_t>(index) * padded_inner_ * kPanelColumns;
  }
  // Columns of one panel, from `column` on.
  void SetF32(int column, int width, const float* from, int64_t column_stride,
              int64_t inner_stride);
  void SetBf16(int column, int width, const float* from, int64_t column_stride,
               int64_t inner_stride);

  WeightType type_ = WeightType::kF32;
  int inner_ = 0;
  int padded_inner_ = 0;
  int columns_ = 0;
  // Not initialised but for the padding: a version is packed while others wait.
  std::unique_ptr<char[], FreeMemory> memory_;
};

// The rows of one product. Strides in floats.
struct MatrixRows {
  const float* a = nullptr;
  int64_t a_stride = 0;
  int rows = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
};

// What is added to the product.
struct Addend {
  const float* bias = nullptr;  // per column, or null
  bool accumulate = false;      // the old value of out
};

// The kernels of both types, and memory for rounded rows. Owned by one thread.
struct ProductKernels {
  const Fp32Kernels& fp32;
  const Bf16Kernels& bf16;
  std::vector<uint16_t> rounded;
};

// out_RN = a_RK * weight_KN + addend, cut over the pool's threads by columns and rows. With weights
// in bf16 the rows are rounded to bf16 first.
void Multiply(ProductKernels& kernels, ThreadPool& pool, const MatrixRows& rows,
              const PackedMatrix& weight, const Addend& addend);

}  // namespace trainyard::kernels

#endif  // TRAINYARD_KERNELS_PACKED_MATRIX_H_
