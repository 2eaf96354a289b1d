#include "model/attention_task.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/numerics.h"

namespace trainyard::model {
namespace {

TEST(AttentionTaskTest, TwoRowsByHand) {
  SetComputeThreads(1);
  // One head of width 2, one segment of 2 rows: query, key, value.
  const std::vector<double> qkv = {1, 0, 1, 0, 10, 20, /**/ 0, 2, 3, 1, 30, 60};
  const std::vector<int64_t> positions = {0, 1};
  std::vector<double> out(4), normalisers(2);
  AttentionPointers<double> pointers;
  pointers.heads = pointers.kv_heads = 1;
  pointers.head_width = 2;
  pointers.rows = 2;
  pointers.qkv = qkv.data();
  pointers.positions = positions.data();
  pointers.out = out.data();
  pointers.normalisers = normalisers.data();
  AttentionScratch<double> scratch(2, 2);
  AttendForward(pointers, {0, 2}, 0, scratch);
  EXPECT_EQ(out[0], 10.0);
  EXPECT_EQ(out[1], 20.0);
  const double second = 2.0 / std::sqrt(2.0), weight = 1.0 / (1.0 + std::exp(-second));
  EXPECT_NEAR(out[2], 10.0 * (1 - weight) + 30.0 * weight, 1e-12);
  EXPECT_NEAR(out[3], 20.0 * (1 - weight) + 60.0 * weight, 1e-12);
  EXPECT_NEAR(normalisers[1], std::log(1.0 + std::exp(second)), 1e-12);
}

}  // namespace
}  // namespace trainyard::model
