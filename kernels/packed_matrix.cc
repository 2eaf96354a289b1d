#include "kernels/packed_matrix.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "kernels/transpose.h"

namespace trainyard::kernels {
namespace {

template <typename T>
T RoundUp(T value, T multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

char* Allocate(size_t size_bytes) {
  constexpr size_t kCacheLine = 64, kHugePage = size_t{2} << 20;
  const size_t alignment = size_bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  const size_t rounded = RoundUp(size_bytes, alignment);
  void* const memory = std::aligned_alloc(alignment, rounded);
  TY_CHECK(memory != nullptr || rounded == 0);
  // Small pages serve as well where the advice is not taken, and the end would fill no huge one.
  if (alignment == kHugePage) {
    madvise(memory, size_bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  }
  return static_cast<char*>(memory);
}

// A part of the product: rows and panels of one item of the pool.
struct Cut {
  int row, rows, panel, columns;
};

template <typename Run>
void CutOverThreads(ThreadPool& pool, int rows, const PackedMatrix& weight, const Run& run) {
  // An item should be worth about 50 us, or what the threads lose by waiting shows.
  constexpr int64_t kItemProducts = 1 << 20;
  constexpr int kItemRows = 96;
  const int row_parts = (rows + kItemRows - 1) / kItemRows;
  const int64_t panel_products =
      static_cast<int64_t>(std::min(rows, kItemRows)) * weight.inner() * kPanelColumns;
  const int most = std::max(1, weight.panels() / pool.threads());
  const int panels_per_item =
      std::clamp<int>(static_cast<int>(kItemProducts / std::max<int64_t>(1, panel_products)), 1,
                      most);
  const int column_parts = (weight.panels() + panels_per_item - 1) / panels_per_item;
  pool.ForEach(row_parts * column_parts, [&](int item, int) {
    const int row = item / column_parts * kItemRows;
    const int panel = item % column_parts * panels_per_item;
    run(Cut{row, std::min(kItemRows, rows - row), panel,
            std::min(panels_per_item * kPanelColumns, weight.columns() - panel * kPanelColumns)});
  });
}

// What both types' arguments have in common.
template <typename Args>
Args ArgsOf(const MatrixRows& rows, const Addend& addend, const Cut& cut) {
  const int column = cut.panel * kPanelColumns;
  Args args;
  args.rows = cut.rows;
  args.columns = cut.columns;
  args.bias = addend.bias == nullptr ? nullptr : addend.bias + column;
  args.out = rows.out + cut.row * rows.out_stride + column;
  args.out_stride = rows.out_stride;
  args.accumulate = addend.accumulate;
  return args;
}

// `rounded` = the rows in bf16, padded with zeros to `width` numbers and to whole blocks of rows.
void RoundRows(ThreadPool& pool, const MatrixRows& rows, const PackedMatrix& weight,
               std::vector<uint16_t>* rounded) {
  const int64_t width = weight.padded_inner();
  const int padded = RoundUp(rows.rows, kBf16RowBlock);
  rounded->resize(static_cast<size_t>(padded * width));
  pool.ForEach(padded / kBf16RowBlock, [&](int block, int) {
    for (int row = block * kBf16RowBlock; row < (block + 1) * kBf16RowBlock; ++row) {
      uint16_t* const out = rounded->data() + row * width;
      const int inner = row < rows.rows ? weight.inner() : 0;
      if (inner > 0) RoundToBf16(rows.a + row * rows.a_stride, inner, out);
      std::fill(out + inner, out + width, uint16_t{0});
    }
  });
}

}  // namespace

PackedMatrix::PackedMatrix(int inner, int columns, WeightType type)
    : type_(type),
      inner_(inner),
      padded_inner_(type == WeightType::kF32 ? inner : RoundUp(inner, kBf16Inner)),
      columns_(columns) {
  const size_t panel_bytes = static_cast<size_t>(padded_inner_) * kPanelColumns *
                             (type == WeightType::kF32 ? sizeof(float) : sizeof(uint16_t));
  memory_.reset(Allocate(panel_bytes * panels()));
  if (panels() == 0) return;
  const bool inner_padded = padded_inner_ != inner;
  if (!inner_padded && columns % kPanelColumns == 0) return;
  const int first = inner_padded ? 0 : panels() - 1;
  std::memset(memory_.get() + first * panel_bytes, 0, (panels() - first) * panel_bytes);
}

void PackedMatrix::SetColumns(int begin, int count, const float* source, int64_t column_stride,
                              int64_t inner_stride) {
  TY_CHECK(begin >= 0 && begin + count <= columns_);
  TY_CHECK(column_stride == 1 || inner_stride == 1);
  for (int done = 0; done < count;) {
    const int column = begin + done;
    const int width = std::min(count - done, kPanelColumns - column % kPanelColumns);
    const float* from = source + done * column_stride;
    if (type_ == WeightType::kF32) {
      SetF32(column, width, from, column_stride, inner_stride);
    } else {
      SetBf16(column, width, from, column_stride, inner_stride);
    }
    done += width;
  }
}

void PackedMatrix::SetF32(int column, int width, const float* from, int64_t column_stride,
                          int64_t inner_stride) {
  float* const target = Panel<float>(column / kPanelColumns) + column % kPanelColumns;
  if (column_stride != 1) {
    Transpose<float>({from, column_stride}, width, inner_, {target, kPanelColumns});
    return;
  }
  for (int k = 0; k < inner_; ++k) {
    std::copy_n(from + k * inner_stride, width, target + k * kPanelColumns);
  }
}

void PackedMatrix::SetBf16(int column, int width, const float* from, int64_t column_stride,
                           int64_t inner_stride) {
  // A pair of neighbours in k is one number of 32 bits in the panel.
  constexpr int kStripe = 64;
  const int pair_stride = kPanelColumns;
  uint32_t* const target = reinterpret_cast<uint32_t*>(Panel<uint16_t>(column / kPanelColumns)) +
                           column % kPanelColumns;
  uint16_t rounded[kPanelColumns][kStripe];
  for (int first = 0; first < inner_; first += kStripe) {
    const int count = std::min(kStripe, inner_ - first);
    for (int c = 0; c < width; ++c) {
      const float* const line = from + c * column_stride + first * inner_stride;
      float near[kStripe] = {};
      for (int k = 0; k < count; ++k) near[k] = line[k * inner_stride];
      RoundToBf16(near, kStripe, rounded[c]);
    }
    Transpose<float>({reinterpret_cast<const float*>(rounded), kStripe / 2}, width,
                     (count + 1) / 2,
                     {reinterpret_cast<float*>(target + first / 2 * pair_stride), pair_stride});
  }
}

void PackedMatrix::CopyColumn(int column, float* out) const {
  if (type_ == WeightType::kF32) {
    const float* source = panel(column / kPanelColumns) + column % kPanelColumns;
    for (int k = 0; k < inner_; ++k) out[k] = source[k * kPanelColumns];
    return;
  }
  const uint16_t* source = bf16_panel(column / kPanelColumns) + 2 * (column % kPanelColumns);
  for (int k = 0; k < inner_; ++k) out[k] = WidenBf16(source[k / 2 * 2 * kPanelColumns + k % 2]);
}

void Multiply(ProductKernels& kernels, ThreadPool& pool, const MatrixRows& rows,
              const PackedMatrix& weight, const Addend& addend) {
  if (rows.rows == 0) return;
  if (weight.type() == WeightType::kF32) {
    CutOverThreads(pool, rows.rows, weight, [&](const Cut& cut) {
      auto args = ArgsOf<GemmArgs>(rows, addend, cut);
      args.a = rows.a + cut.row * rows.a_stride;
      args.a_stride = rows.a_stride;
      args.inner = weight.inner();
      args.panels = weight.panel(cut.panel);
      kernels.fp32.gemm(args);
    });
    return;
  }
  RoundRows(pool, rows, weight, &kernels.rounded);
  CutOverThreads(pool, rows.rows, weight, [&](const Cut& cut) {
    auto args = ArgsOf<Bf16GemmArgs>(rows, addend, cut);
    args.a = kernels.rounded.data() + int64_t{cut.row} * weight.padded_inner();
    args.a_stride = weight.padded_inner();
    args.inner = weight.padded_inner();
    args.panels = weight.bf16_panel(cut.panel);
    kernels.bf16.gemm(args);
  });
}

}  // namespace trainyard::kernels
