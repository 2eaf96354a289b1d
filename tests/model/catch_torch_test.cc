#include "model/catch_torch.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "base/end_class.h"

namespace trainyard::model {
namespace {

using ::testing::HasSubstr;

TEST(CatchTorchTest, ValuesAndStatusesPassThrough) {
  EXPECT_EQ(CatchTorch("x", [] { return 3; }).value(), 3);
  EXPECT_TRUE(CatchTorch("x", [] {}).ok());
  EXPECT_TRUE(absl::IsAborted(CatchTorch("x", [] { return absl::AbortedError("no"); })));
  EXPECT_EQ(CatchTorch("x", []() -> absl::StatusOr<int> { return 4; }).value(), 4);
}

TEST(CatchTorchTest, ATorchErrorBecomesOneLineThatSaysWhat) {
  const auto status = CatchTorch("forward", [] {
                        return at::zeros({2, 3}).mm(at::zeros({2, 3}));
                      }).status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("forward: mat1 and mat2"));
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
}

TEST(CatchTorchTest, MemoryThatRanOutIsResourceExhaustedAndNoFullDisk) {
  const absl::Status status = CatchTorch("x", [] { throw std::bad_alloc(); });
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(EndClassOf(status), EndClass::kOutOfMemory);
  EXPECT_TRUE(absl::IsResourceExhausted(
      CatchTorch("x", [] { return at::empty({int64_t{1} << 46}); }).status()));
}

TEST(CatchTorchTest, AnyOtherExceptionIsInternal) {
  EXPECT_TRUE(absl::IsInternal(CatchTorch("x", [] { throw std::runtime_error("odd"); })));
}

}  // namespace
}  // namespace trainyard::model
