#include "kernels/packed_matrix.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/status.h"
#include "kernels/transpose.h"

namespace trainyard::kernels {

std::unique_ptr<float[], FreeMemory> AllocateFloats(size_t count) {
  constexpr size_t kCacheLine = 64, kHugePage = size_t{2} << 20;
  const size_t size_bytes = count * sizeof(float);
  const size_t alignment = size_bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  const size_t rounded = (size_bytes + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, rounded);
  TY_CHECK(memory != nullptr || rounded == 0);
  // Small pages serve as well where the advice is not taken.
  if (alignment == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);
  return std::unique_ptr<float[], FreeMemory>(static_cast<float*>(memory));
}

PackedMatrix::PackedMatrix(int inner, int columns)
    : inner_(inner),
      columns_(columns),
      panels_(AllocateFloats(static_cast<size_t>(inner) * panels() * kPanelColumns)) {
  const int used = columns % kPanelColumns;
  if (used == 0) return;
  float* last = panels_.get() + static_cast<int64_t>(panels() - 1) * inner * kPanelColumns;
  for (int k = 0; k < inner; ++k) {
    std::fill(last + k * kPanelColumns + used, last + (k + 1) * kPanelColumns, 0.0f);
  }
}

void PackedMatrix::SetColumns(int begin, int count, const float* source, int64_t column_stride,
                              int64_t inner_stride) {
  TY_CHECK(begin >= 0 && begin + count <= columns_);
  for (int done = 0; done < count;) {
    const int column = begin + done;
    const int width = std::min(count - done, kPanelColumns - column % kPanelColumns);
    float* target = panels_.get() +
                    static_cast<int64_t>(column / kPanelColumns) * inner_ * kPanelColumns +
                    column % kPanelColumns;
    const float* from = source + done * column_stride;
    if (column_stride == 1) {
      for (int k = 0; k < inner_; ++k) {
        std::copy_n(from + k * inner_stride, width, target + k * kPanelColumns);
      }
    } else {
      TY_CHECK(inner_stride == 1);
      Transpose<float>({from, column_stride}, width, inner_, {target, kPanelColumns});
    }
    done += width;
  }
}

void PackedMatrix::CopyColumn(int column, float* out) const {
  const float* source = panel(column / kPanelColumns) + column % kPanelColumns;
  for (int k = 0; k < inner_; ++k) out[k] = source[k * kPanelColumns];
}

void Multiply(const Fp32Kernels& kernels, ThreadPool& pool, const MatrixRows& rows,
              const PackedMatrix& weight, const Addend& addend) {
  if (rows.rows == 0) return;
  // An item should be worth about 50 us, or what the threads lose by waiting shows.
  constexpr int64_t kItemProducts = 1 << 20;
  constexpr int kItemRows = 96;
  const int row_parts = (rows.rows + kItemRows - 1) / kItemRows;
  const int64_t panel_products =
      static_cast<int64_t>(std::min(rows.rows, kItemRows)) * weight.inner() * kPanelColumns;
  const int most = std::max(1, weight.panels() / pool.threads());
  const int panels_per_item =
      std::clamp<int>(static_cast<int>(kItemProducts / std::max<int64_t>(1, panel_products)), 1,
                      most);
  const int column_parts = (weight.panels() + panels_per_item - 1) / panels_per_item;
  pool.ForEach(row_parts * column_parts, [&](int item, int) {
    const int row = item / column_parts * kItemRows;
    const int panel = item % column_parts * panels_per_item;
    const int column = panel * kPanelColumns;
    GemmArgs args;
    args.a = rows.a + row * rows.a_stride;
    args.a_stride = rows.a_stride;
    args.rows = std::min(kItemRows, rows.rows - row);
    args.inner = weight.inner();
    args.panels = weight.panel(panel);
    args.columns = std::min(panels_per_item * kPanelColumns, weight.columns() - column);
    args.bias = addend.bias == nullptr ? nullptr : addend.bias + column;
    args.out = rows.out + row * rows.out_stride + column;
    args.out_stride = rows.out_stride;
    args.accumulate = addend.accumulate;
    kernels.gemm(args);
  });
}

}  // namespace trainyard::kernels
