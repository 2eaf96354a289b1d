#include "base/cause.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/status.h"

namespace trainyard {
namespace {

TEST(Cause, SurvivesAnnotation) {
  const absl::Status status = Annotate(Annotate(NotFiniteError("loss"), "step 3"), "rank 1");
  EXPECT_EQ(CauseOf(status), EndClass::kNan);
  EXPECT_EQ(status.message(), "rank 1: step 3: loss");
}

TEST(Cause, IsPrintedByItsName) {
  EXPECT_EQ(DiskFullError("/runs").ToString(), "RESOURCE_EXHAUSTED: /runs [cause='DISK_FULL']");
}

TEST(Cause, TheLastOneCountsAndCanBeTakenAway) {
  absl::Status status = WithCause(PeerLostError("x"), EndClass::kHang);
  EXPECT_EQ(CauseOf(status), EndClass::kHang);
  status = WithCause(status, EndClass::kUnspecified);
  EXPECT_EQ(CauseOf(status), EndClass::kUnspecified);
  EXPECT_EQ(status, absl::UnavailableError("x"));
}

TEST(Cause, OfSuccessThereIsNone) {
  const absl::Status status = WithCause(absl::OkStatus(), EndClass::kHang);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(CauseOf(status), EndClass::kUnspecified);
}

TEST(Cause, WhatTheSystemSaysIsNamedForWhatItIs) {
  EXPECT_EQ(EndClassOf(ErrnoStatus(ENOSPC, "write")), EndClass::kDiskFull);
  EXPECT_EQ(EndClassOf(ErrnoStatus(EDQUOT, "write")), EndClass::kDiskFull);
  EXPECT_EQ(EndClassOf(ErrnoStatus(ENOMEM, "mmap")), EndClass::kOutOfMemory);
  EXPECT_EQ(EndClassOf(ErrnoStatus(EIO, "read")), EndClass::kDeviceError);
  EXPECT_EQ(EndClassOf(ErrnoStatus(EMFILE, "open")), EndClass::kInternal) << "no peer was lost";
}

}  // namespace
}  // namespace trainyard
