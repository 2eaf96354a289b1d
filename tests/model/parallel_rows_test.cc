#include "model/parallel_rows.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>

#include "model/numerics.h"

namespace trainyard::model {
namespace {

TEST(ParallelRowsTest, EveryRowIsVisitedOnce) {
  SetComputeThreads(2);
  std::vector<std::atomic<int>> visits(1000);
  ForEachRows(1000, 4096, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) ++visits[static_cast<size_t>(row)];
  });
  for (const auto& count : visits) EXPECT_EQ(count, 1);
}

// at::parallel_for is a plain loop in code that was compiled without OpenMP.
TEST(ParallelRowsTest, TwoThreadsTakeAPieceEach) {
  SetComputeThreads(2);
  std::atomic<int> pieces{0};
  ForEachRows(1000, 4096, [&](int64_t, int64_t) { ++pieces; });
  EXPECT_EQ(pieces, 2);
}

TEST(ParallelRowsTest, NarrowRowsAddsAndRounds) {
  SetComputeThreads(1);
  const at::Tensor x = at::randn({7, 33}), addend = at::randn({33}).to(at::kBFloat16);
  const at::Tensor out = at::empty({7, 33}, at::kBFloat16);
  NarrowRows(x, addend, out);
  EXPECT_TRUE(at::equal(out, (x + addend.to(at::kFloat)).to(at::kBFloat16)));
}

TEST(ParallelRowsTest, ATypeWithoutKernelsThrows) {
  EXPECT_THROW(WithKernelType(at::kHalf, [](auto) {}), c10::Error);
}

}  // namespace
}  // namespace trainyard::model
