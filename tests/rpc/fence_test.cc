#include "rpc/fence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const JobFence kMine = {"job-a", 7, "secret-a"};

TEST(Fence, TheSameJobEpochAndSecretPass) {
  EXPECT_TRUE(CheckFence(kMine, {"job-a", "7", "secret-a"}).ok());
}

TEST(Fence, EachDifferenceHasItsCode) {
  struct Row {
    PresentedFence presented;
    absl::StatusCode code;
  };
  const Row rows[] = {
      {{"", "", ""}, absl::StatusCode::kPermissionDenied},
      {{"job-a", "7", ""}, absl::StatusCode::kPermissionDenied},
      {{"job-b", "7", "secret-a"}, absl::StatusCode::kPermissionDenied},
      {{"job-a", "7", "secret-b"}, absl::StatusCode::kPermissionDenied},
      {{"job-a", "7", "secret-a-and-more"}, absl::StatusCode::kPermissionDenied},
      {{"job-a", "seven", "secret-a"}, absl::StatusCode::kPermissionDenied},
      {{"job-a", "", "secret-a"}, absl::StatusCode::kPermissionDenied},
      {{"job-a", "6", "secret-a"}, absl::StatusCode::kAborted},
      {{"job-a", "8", "secret-a"}, absl::StatusCode::kUnavailable},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(CheckFence(kMine, row.presented).code(), row.code)
        << row.presented.job_id << " " << row.presented.epoch << " " << row.presented.secret;
  }
}

TEST(Fence, AWrongSecretIsNotTold) {
  const absl::Status status = CheckFence(kMine, {"job-a", "7", "secret-b"});
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret-b")));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret-a")));
}

}  // namespace
}  // namespace trainyard::rpc
