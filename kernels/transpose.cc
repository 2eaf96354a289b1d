#include "kernels/transpose.h"

#include <algorithm>

namespace trainyard::kernels {
namespace {

constexpr int kSide = 4;    // a tile in registers
constexpr int kBlock = 32;  // rows and columns that stay in the first cache

template <typename T>
void TransposeTile(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  for (int c = 0; c < kSide; ++c) {
    for (int r = 0; r < kSide; ++r) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

template <>
void TransposeTile(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  using Four = float __attribute__((vector_size(16), aligned(4), may_alias));
  using Order = int32_t __attribute__((vector_size(16)));
  constexpr Order kLow = {0, 4, 1, 5}, kHigh = {2, 6, 3, 7};
  constexpr Order kFirst = {0, 1, 4, 5}, kSecond = {2, 3, 6, 7};
  Four row[kSide];
  for (int r = 0; r < kSide; ++r) row[r] = *reinterpret_cast<const Four*>(from + r * from_stride);
  const Four low_01 = __builtin_shuffle(row[0], row[1], kLow);
  const Four low_23 = __builtin_shuffle(row[2], row[3], kLow);
  const Four high_01 = __builtin_shuffle(row[0], row[1], kHigh);
  const Four high_23 = __builtin_shuffle(row[2], row[3], kHigh);
  const auto store = [&](int c, Four column) {
    *reinterpret_cast<Four*>(to + c * to_stride) = column;
  };
  store(0, __builtin_shuffle(low_01, low_23, kFirst));
  store(1, __builtin_shuffle(low_01, low_23, kSecond));
  store(2, __builtin_shuffle(high_01, high_23, kFirst));
  store(3, __builtin_shuffle(high_01, high_23, kSecond));
}

template <typename T>
void TransposeBlock(MatrixPart<const T> from, int rows, int columns, MatrixPart<T> to) {
  const int whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  for (int c = 0; c < whole_columns; c += kSide) {
    for (int r = 0; r < whole_rows; r += kSide) {
      TransposeTile(from.data + r * from.stride + c, from.stride, to.data + c * to.stride + r,
                    to.stride);
    }
  }
  for (int c = 0; c < columns; ++c) {
    const int begin = c < whole_columns ? whole_rows : 0;
    for (int r = begin; r < rows; ++r) {
      to.data[c * to.stride + r] = from.data[r * from.stride + c];
    }
  }
}

}  // namespace

template <typename T>
void Transpose(MatrixPart<const T> from, int rows, int columns, MatrixPart<T> to) {
  for (int c = 0; c < columns; c += kBlock) {
    for (int r = 0; r < rows; r += kBlock) {
      TransposeBlock<T>({from.data + r * from.stride + c, from.stride}, std::min(kBlock, rows - r),
                        std::min(kBlock, columns - c),
                        {to.data + c * to.stride + r, to.stride});
    }
  }
}

template void Transpose(MatrixPart<const float>, int, int, MatrixPart<float>);
template void Transpose(MatrixPart<const uint16_t>, int, int, MatrixPart<uint16_t>);

}  // namespace trainyard::kernels
