#include "model/logits.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/gemm.h"
#include "model/numerics.h"

namespace trainyard::model {
namespace {

TEST(LogitsTest, RowsArePaddedByRepeatingTheFirst) {
  const at::Tensor rows = at::tensor({5, 2, 9}, at::kLong);
  const at::Tensor padded = PadRows(rows);
  EXPECT_EQ(padded.size(0), kRowMultiple);
  EXPECT_TRUE(at::equal(padded.narrow(0, 0, 3), rows));
  EXPECT_EQ(padded[kRowMultiple - 1].item<int64_t>(), 5);
}

TEST(LogitsTest, TheBufferStaysSmallAndWide) {
  const at::Tensor states = at::empty({4096, 8}, at::kBFloat16);
  const at::Tensor buffer = MakeLogitsBuffer(states, at::empty({32000, 8}, at::kBFloat16));
  EXPECT_EQ(buffer.scalar_type(), at::kFloat);
  EXPECT_EQ(buffer.size(0) % kRowMultiple, 0);
  EXPECT_LE(buffer.nbytes(), size_t{16} << 20);
  EXPECT_EQ(MakeLogitsBuffer(states.narrow(0, 0, 16), at::empty({64, 8})).size(0), 16);
}

TEST(LogitsTest, CrossEntropyIsTheSameWithAndWithoutItsGradient) {
  SetComputeThreads(1);
  const at::Tensor logits = at::randn({16, 50});
  const CrossEntropyRows rows{at::arange(16), at::rand({16}), 0.01};
  at::Tensor gradient;
  const at::Tensor with = CrossEntropyWithGradient(logits.clone(), rows, at::kFloat, &gradient);
  EXPECT_TRUE(at::equal(CrossEntropyOfLogits(logits.clone(), rows), with));
  EXPECT_EQ(gradient.sizes(), logits.sizes());
}

}  // namespace
}  // namespace trainyard::model
