#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "absl/strings/cord.h"

namespace trainyard {
namespace {

absl::StatusOr<int> Half(int number) {
  if (number % 2 != 0) return absl::InvalidArgumentError("odd");
  return number / 2;
}

absl::StatusOr<int> Quarter(int number) {
  TY_ASSIGN_OR_RETURN(const int half, Half(number));
  TY_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(StatusTest, MacrosPassValuesAndErrorsOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status(), absl::InvalidArgumentError("odd"));
}

TEST(StatusTest, AnnotateKeepsCodeAndPayload) {
  absl::Status status = absl::DataLossError("flipped");
  status.SetPayload("type", absl::Cord("payload"));
  const absl::Status annotated = Annotate(status, "model.safetensors");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(annotated.message(), "model.safetensors: flipped");
  EXPECT_EQ(annotated.GetPayload("type"), absl::Cord("payload"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

TEST(StatusTest, ErrnoHasOneMeaningPerCode) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "w").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoStatus(ENOENT, "w").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrnoStatus(EEXIST, "w").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrnoStatus(EACCES, "w").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoStatus(EIO, "w").message(), "w: Input/output error");
}

TEST(StatusDeathTest, ABrokenInvariantSaysWhereAndAborts) {
  EXPECT_DEATH(TY_CHECK(1 == 2), "status_test.cc:[0-9]+: check failed: 1 == 2");
}

}  // namespace
}  // namespace trainyard
