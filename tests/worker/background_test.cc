#include "worker/background.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/synchronization/notification.h"

namespace trainyard::worker {
namespace {

TEST(Background, GivesTheResultOnce) {
  Background<std::string> background;
  EXPECT_FALSE(background.busy());
  EXPECT_FALSE(background.Fetch(absl::ZeroDuration()).has_value());
  absl::Notification go;
  background.Start([&]() -> absl::StatusOr<std::string> {
    go.WaitForNotification();
    return "seven";
  });
  EXPECT_TRUE(background.busy());
  EXPECT_FALSE(background.Fetch(absl::ZeroDuration()).has_value());
  go.Notify();
  const auto result = background.Fetch(absl::Seconds(30));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(**result, "seven");
  EXPECT_FALSE(background.busy());
}

TEST(Background, PassesAnErrorAndGoesOn) {
  Background<std::string> background;
  background.Start(
      []() -> absl::StatusOr<std::string> { return absl::ResourceExhaustedError("full"); });
  EXPECT_TRUE(absl::IsResourceExhausted(background.Fetch(absl::Seconds(30))->status()));
  background.Start([]() -> absl::StatusOr<std::string> { return "one"; });
  EXPECT_TRUE(background.Fetch(absl::Seconds(30))->ok());
}

TEST(Background, TheDestructorWaitsForTheWork) {
  bool done = false;
  {
    Background<std::string> background;
    background.Start([&]() -> absl::StatusOr<std::string> {
      done = true;
      return "one";
    });
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace trainyard::worker
