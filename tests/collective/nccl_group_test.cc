// On a machine with a GPU. Elsewhere it is compiled, linked and skipped.

#include "collective/nccl_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace trainyard::collective {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

TEST(NcclGroup, ReducesTensorsOfTheDevice) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no GPU";
  auto store = Store::Host("127.0.0.1", "job/1", kPatience);
  ASSERT_TRUE(store.ok()) << store.status();
  const GroupOptions options{0, 1, "127.0.0.1", kPatience, kPatience};
  auto group = MakeNcclGroup(*std::move(store), options);
  ASSERT_TRUE(group.ok()) << group.status();
  at::Tensor values_N = at::arange(8, at::TensorOptions().device(at::kCUDA).dtype(at::kFloat));
  const absl::Status reduced = (*group)->AllReduce(values_N);
  ASSERT_TRUE(reduced.ok()) << reduced;
  EXPECT_EQ(values_N.sum().item<float>(), 28);
}

}  // namespace
}  // namespace trainyard::collective
