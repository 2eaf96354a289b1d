#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace trainyard {
namespace {

TEST(LogTest, LinesNameTheProcessAndQuietLevelsAreLeftOut) {
  ConfigureLog("rollout/0", "info");
  testing::internal::CaptureStderr();
  Log().debug("not shown");
  Log().info("step {}", 3);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, testing::HasSubstr("rollout/0: step 3"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("not shown")));
}

}  // namespace
}  // namespace trainyard
