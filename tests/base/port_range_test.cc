#include "base/port_range.h"

#include <gtest/gtest.h>

namespace trainyard {
namespace {

TEST(PortRange, ReadsARangeOnePortAndAny) {
  const auto range = ParsePortRange("7500-7599");
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(range->first, 7500);
  EXPECT_EQ(range->last, 7599);
  EXPECT_EQ(ParsePortRange("80")->first, 80);
  EXPECT_EQ(ParsePortRange("80")->last, 80);
  EXPECT_EQ(ParsePortRange("")->first, 0);
  EXPECT_EQ(ParsePortRange("0")->last, 0);
}

TEST(PortRange, WhatIsNoRangeIsNamed) {
  for (const char* bad : {"9-8", "0-5", "x-9", "1-65536", "5-", "-5", "1-2-3", "http"}) {
    const auto range = ParsePortRange(bad);
    EXPECT_EQ(range.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(range.status().message().find(bad), absl::string_view::npos) << range.status();
  }
}

}  // namespace
}  // namespace trainyard
