#include "base/end_class.h"

#include <gtest/gtest.h>

#include <set>

#include "base/cause.h"

namespace trainyard {
namespace {

TEST(EndClass, ExitCodesGoThereAndBackAndAreDistinct) {
  std::set<int> codes;
  for (int number = 1; number <= 15; ++number) {
    const auto end_class = static_cast<EndClass>(number);
    const int code = ExitCodeOf(end_class);
    EXPECT_EQ(EndClassOfExitCode(code), end_class);
    EXPECT_TRUE(codes.insert(code).second) << code;
    EXPECT_LT(code, 126) << "shells give codes from 126 on a meaning of their own";
  }
}

TEST(EndClass, AnExitCodeOutsideTheTableIsInternal) {
  for (int code : {1, 2, 63, 64, 65, 80, 127, 255}) {
    EXPECT_EQ(EndClassOfExitCode(code), EndClass::kInternal) << code;
  }
}

TEST(EndClass, HasANameForEach) {
  EXPECT_EQ(EndClassName(EndClass::kDiskFull), "DISK_FULL");
  EXPECT_EQ(EndClassName(EndClass::kDeadline), "DEADLINE");
  EXPECT_EQ(EndClassName(static_cast<EndClass>(99)), "UNKNOWN");
  EXPECT_EQ(EndClassOfName("DEADLINE"), EndClass::kDeadline);
  EXPECT_EQ(EndClassOfName("UNKNOWN"), EndClass::kUnspecified);
}

TEST(EndClass, ACodeAloneSaysNoMoreThanItMeans) {
  EXPECT_EQ(EndClassOf(absl::NotFoundError("")), EndClass::kUserError);
  EXPECT_EQ(EndClassOf(absl::DataLossError("checksum")), EndClass::kDeviceError);
  EXPECT_EQ(EndClassOf(absl::InternalError("")), EndClass::kInternal);
  EXPECT_EQ(EndClassOf(absl::OkStatus()), EndClass::kSucceeded);
}

TEST(EndClass, AFullQueueIsNoFullDisk) {
  EXPECT_EQ(EndClassOf(absl::ResourceExhaustedError("the queue is full")), EndClass::kInternal);
  EXPECT_EQ(EndClassOf(DiskFullError("/runs")), EndClass::kDiskFull);
  EXPECT_EQ(EndClassOf(OutOfMemoryError("cuda:0")), EndClass::kOutOfMemory);
}

TEST(EndClass, AServerThatDrainsIsNoLostPeer) {
  EXPECT_EQ(EndClassOf(absl::UnavailableError("it drains")), EndClass::kInternal);
  EXPECT_EQ(EndClassOf(PeerLostError("rank 1 is gone")), EndClass::kPeerLost);
}

}  // namespace
}  // namespace trainyard
