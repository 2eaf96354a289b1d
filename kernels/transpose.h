// Turns rows into columns, a few cache lines at a time.

#ifndef TRAINYARD_KERNELS_TRANSPOSE_H_
#define TRAINYARD_KERNELS_TRANSPOSE_H_

#include <cstdint>

namespace trainyard::kernels {

// A row-major matrix of T, or a part of one.
template <typename T>
struct MatrixPart {
  T* data = nullptr;
  int64_t stride = 0;  // elements from one row to the next
};

// to[c][r] = from[r][c] for r in [0, rows), c in [0, columns). T: float (any four bytes), uint16_t
// (any two). A value; any thread.
template <typename T>
void Transpose(MatrixPart<const T> from, int rows, int columns, MatrixPart<T> to);

extern template void Transpose(MatrixPart<const float>, int, int, MatrixPart<float>);
extern template void Transpose(MatrixPart<const uint16_t>, int, int, MatrixPart<uint16_t>);

}  // namespace trainyard::kernels

#endif  // TRAINYARD_KERNELS_TRANSPOSE_H_
