// A weight matrix in the layout that the kernels read.

#ifndef TRAINYARD_KERNELS_PACKED_MATRIX_H_
#define TRAINYARD_KERNELS_PACKED_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "kernels/fp32.h"
#include "kernels/thread_pool.h"

namespace trainyard::kernels {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

// Uninitialised memory at a cache line's begin, in huge pages where it is large enough to matter: a
// fault less for each 4 KiB, and fewer misses where panels are read. Never null.
std::unique_ptr<float[], FreeMemory> AllocateFloats(size_t count);

// weight_KN as ceil(N / 32) panels of [K][32], padded with zeros. Movable; its parts are filled
// by SetColumns, so that several matrices side by side (query, key, value) become one.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  PackedMatrix(int inner, int columns);

  // Columns [begin, begin + count) = source. Column c's K values start at source + c *
  // column_stride and lie `inner_stride` apart: a [N, K] row-major weight has strides (K, 1), a
  // [K, N] one (1, N). One of the two is 1.
  void SetColumns(int begin, int count, const float* source, int64_t column_stride,
                  int64_t inner_stride);

  // out_K = column `column`: a row of a tied embedding.
  void CopyColumn(int column, float* out) const;

  int inner() const { return inner_; }
  int columns() const { return columns_; }
  const float* panel(int index) const {
    return panels_.get() + static_cast<int64_t>(index) * inner_ * kPanelColumns;
  }
  int panels() const { return (columns_ + kPanelColumns - 1) / kPanelColumns; }

 private:
  int inner_ = 0;
  int columns_ = 0;
  // Not initialised: a version is packed while others wait.
  std::unique_ptr<float[], FreeMemory> panels_;
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

// out_RN = a_RK * weight_KN + addend, cut over the pool's threads by columns and rows.
void Multiply(const Fp32Kernels& kernels, ThreadPool& pool, const MatrixRows& rows,
              const PackedMatrix& weight, const Addend& addend);

}  // namespace trainyard::kernels

#endif  // TRAINYARD_KERNELS_PACKED_MATRIX_H_
