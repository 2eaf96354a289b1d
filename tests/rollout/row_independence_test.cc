#include "rollout/row_independence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rollout/tiny_model.h"

namespace trainyard::rollout {
namespace {

TEST(RowIndependence, HoldsForEveryFamilyOnTwoThreads) {
  kernels::ThreadPool pool(2);
  for (model::ModelConfig config : {TinyLlama(), TinyGpt2()}) {
    for (const auto products : {kernels::WeightType::kF32, kernels::WeightType::kBf16}) {
      const absl::Status status =
          CheckRowIndependence(*TinyPacked(config, 1, 0, products), {}, pool);
      EXPECT_TRUE(status.ok()) << status;
    }
  }
  model::ModelConfig relative = TinyLlama();
  relative.qkv_bias = relative.qk_norm = relative.out_bias = relative.mlp_bias = true;
  relative.tied_head = false;
  EXPECT_TRUE(CheckRowIndependence(*TinyPacked(relative, 1), {}, pool).ok());
  for (const int64_t window : {1, 5, 16, 20}) {
    relative.window = window;
    relative.windowed_layers = {false, true};
    EXPECT_TRUE(CheckRowIndependence(*TinyPacked(relative, 1), {}, pool).ok()) << window;
  }
}

// A product that adds in another order when it has few rows, as libraries do.
void FickleGemm(const kernels::GemmArgs& args) {
  kernels::GemmArgs changed = args;
  std::vector<float> copy(args.a, args.a + (args.rows - 1) * args.a_stride + args.inner);
  if (args.rows < 4) copy[0] += 1e-6f;
  changed.a = copy.data();
  kernels::BestFp32Kernels().gemm(changed);
}

TEST(RowIndependence, AKernelWhoseRowsDependOnTheirNumberIsCaught) {
  kernels::Fp32Kernels fickle = kernels::BestFp32Kernels();
  fickle.gemm = FickleGemm;
  kernels::ThreadPool pool(1);
  const absl::Status status = CheckRowIndependence(*TinyPacked(TinyLlama(), 1), {fickle}, pool);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("refusing to serve"));
}

}  // namespace
}  // namespace trainyard::rollout
