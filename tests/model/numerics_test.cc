#include "model/numerics.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::model {
namespace {

using checkpoint::DType;

TEST(NumericsTest, TheIdNamesDeviceInstructionsTorchTypeAndThreads) {
  SetComputeThreads(1);
  const std::string id = NumericsId("cpu", DType::kBF16);
  EXPECT_THAT(id, ::testing::MatchesRegex("cpu/[A-Z0-9+]+/torch-[0-9.]+[^/]*/bf16/1t"));
  EXPECT_NE(id, NumericsId("cpu", DType::kF32));
  EXPECT_NE(id, NumericsId("cuda", DType::kBF16));
}

TEST(NumericsTest, ComputeTypesHaveTwoNames) {
  EXPECT_EQ(ParseComputeType("bf16").value(), DType::kBF16);
  EXPECT_EQ(ParseComputeType("bfloat16").value(), DType::kBF16);
  for (const DType type : {DType::kBF16, DType::kF32, DType::kF64}) {
    EXPECT_EQ(ParseComputeType(ComputeTypeName(type)).value(), type);
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ParseComputeType("int8").status()));
}

}  // namespace
}  // namespace trainyard::model
