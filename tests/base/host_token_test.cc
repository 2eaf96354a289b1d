#include "base/host_token.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(HostTokenTest, IsTheSameEachTimeAndNamesTheNamespace) {
  const absl::StatusOr<std::string> first = HostToken();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*first, *HostToken());
  EXPECT_NE(first->find("ipc:["), std::string::npos);
}

}  // namespace
}  // namespace trainyard
