#include "model/row_kernels.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace trainyard::model {
namespace {

TEST(RowKernelsTest, ANanLogitShowsUpInTheLoss) {
  std::vector<float> logits = {0.0f, std::numeric_limits<float>::quiet_NaN(), 1.0f};
  const float loss =
      RowKernelsFor<float>().cross_entropy({3, 0, 1.0f, 0.0f}, logits.data(), nullptr);
  EXPECT_NE(loss, loss);
}

TEST(RowKernelsTest, Bfloat16IsRoundedToNearestEvenAndANanStaysOne) {
  const float values[] = {1.0f, 1.00390625f, 1.01171875f, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()};
  Bf16 out[5];
  RowKernelsFor<Bf16>().narrow(values, nullptr, 5, out);
  EXPECT_EQ(out[0].bits, 0x3f80);
  EXPECT_EQ(out[1].bits, 0x3f80);  // a tie goes to the even neighbour below
  EXPECT_EQ(out[2].bits, 0x3f82);  // and above
  EXPECT_GT(out[3].bits & 0x7fff, 0x7f80);
  EXPECT_EQ(out[4].bits, 0x7f80);
}

}  // namespace
}  // namespace trainyard::model
