#include "tests/support/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

namespace trainyard::testing {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<Process>> Shell(const std::string& script) {
  return Process::Start({.binary = "/bin/sh", .args = {"-c", script}});
}

TEST(Process, TellsExitCodeAndOutput) {
  auto process = Shell("echo out; echo err >&2; exit 3");
  ASSERT_TRUE(process.ok()) << process.status();
  const auto end = (*process)->Wait(absl::Seconds(20));
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->exit_code, 3);
  EXPECT_EQ((*process)->Output(), "out\nerr\n");
}

TEST(Process, WaitsForOutput) {
  auto process = Shell("echo ready; sleep 1000");
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE((*process)->WaitForOutput("ready", absl::Seconds(20)).ok());
  EXPECT_EQ((*process)->WaitForOutput("never", absl::Milliseconds(30)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(Process, SaysWhenTheProcessEndedWithoutTheOutput) {
  auto process = Shell("echo other");
  ASSERT_TRUE(process.ok()) << process.status();
  const absl::Status status = (*process)->WaitForOutput("ready", absl::Seconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("other"));
}

TEST(Process, NothingOfItsGroupOutlivesTheObject) {
  pid_t group = 0;
  {
    auto process = Shell("sleep 1000 & echo started; wait");
    ASSERT_TRUE(process.ok()) << process.status();
    ASSERT_TRUE((*process)->WaitForOutput("started", absl::Seconds(20)).ok());
    group = (*process)->pid();
  }
  EXPECT_TRUE(WaitUntil(absl::Seconds(20), [&] { return kill(-group, 0) != 0; }));
}

TEST(Process, AMissingBinaryIsNamed) {
  const auto process = Process::Start({.binary = "/no/such/binary"});
  EXPECT_EQ(process.status().code(), absl::StatusCode::kNotFound);
}

TEST(TempDir, GoesWithAllItHolds) {
  std::string path;
  {
    TempDir directory;
    path = directory.path();
    std::filesystem::create_directories(directory.File("a/b"));
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace trainyard::testing
