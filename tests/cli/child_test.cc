#include "cli/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/support/process.h"

namespace trainyard::cli {
namespace {

TEST(ChildTest, ItsEndAndItsOutputAreKept) {
  testing::TempDir dir;
  auto child = Child::Start({"/bin/sh", "-c", "echo hello; exit 3"}, dir.File("log"));
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(testing::WaitUntil(absl::Seconds(30), [&] { return !(*child)->Running(); }));
  EXPECT_EQ((*child)->End(), "exited with code 3");
  EXPECT_EQ(*ReadFile(dir.File("log")), "hello\n");
}

TEST(ChildTest, StopAsksFirstAndKillsThen) {
  testing::TempDir dir;
  auto child = Child::Start({"/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"},
                            dir.File("log"));
  ASSERT_TRUE(child.ok());
  ASSERT_TRUE(
      testing::WaitUntil(absl::Seconds(30), [&] { return *ReadFile(dir.File("log")) == "up\n"; }));
  (*child)->Stop(absl::Milliseconds(200));
  EXPECT_FALSE((*child)->Running());
  EXPECT_EQ((*child)->End(), "was killed by signal 9");
}

TEST(ChildTest, AProgramThatIsNotBesideUsIsNamed) {
  const auto path = SiblingPath("trainyard-nothing");
  EXPECT_EQ(path.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(path.status().message()), ::testing::HasSubstr("trainyard-nothing"));
}

}  // namespace
}  // namespace trainyard::cli
