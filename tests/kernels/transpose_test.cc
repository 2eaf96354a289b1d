#include "kernels/transpose.h"

#include <gtest/gtest.h>

#include <vector>

namespace trainyard::kernels {
namespace {

template <typename T>
class TransposeTest : public testing::Test {};
using Types = testing::Types<float, uint16_t>;
TYPED_TEST_SUITE(TransposeTest, Types);

TYPED_TEST(TransposeTest, RowsBecomeColumnsAndNothingElseIsWritten) {
  struct Shape {
    int rows, columns;
  };
  for (const Shape s : {Shape{1, 1}, {3, 70}, {70, 3}, {32, 32}, {65, 34}, {33, 47}}) {
    const int from_stride = s.columns + 5, to_stride = s.rows + 3;
    std::vector<TypeParam> from(s.rows * from_stride), to(s.columns * to_stride, 7);
    for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<TypeParam>(i + 10);
    Transpose<TypeParam>({from.data(), from_stride}, s.rows, s.columns, {to.data(), to_stride});
    for (int c = 0; c < s.columns; ++c) {
      for (int r = 0; r < to_stride; ++r) {
        const TypeParam want = r < s.rows ? from[r * from_stride + c] : TypeParam{7};
        ASSERT_EQ(to[c * to_stride + r], want) << s.rows << "x" << s.columns;
      }
    }
  }
}

}  // namespace
}  // namespace trainyard::kernels
