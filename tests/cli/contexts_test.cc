#include "cli/contexts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/support/process.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

TEST(ContextsTest, WhatIsWrittenIsRead) {
  testing::TempDir dir;
  const std::string path = dir.File("deep/config.yaml");
  EXPECT_TRUE(ReadContexts(path)->coordinators.empty());
  ASSERT_TRUE(
      WriteContexts({"lab", {{"lab", "10.0.0.1:7433"}, {"here", "127.0.0.1:1"}}}, path).ok());
  const auto contexts = ReadContexts(path);
  ASSERT_TRUE(contexts.ok()) << contexts.status();
  EXPECT_EQ(contexts->current, "lab");
  EXPECT_EQ(contexts->coordinators.at("here"), "127.0.0.1:1");
}

TEST(ContextsTest, WrongFilesNameTheLine) {
  testing::TempDir dir;
  const std::string path = dir.File("config.yaml");
  ASSERT_TRUE(WriteFileAtomically(path, "current: a\ncontext: {}\n").ok());
  EXPECT_THAT(std::string(ReadContexts(path).status().message()),
              HasSubstr("config.yaml:2: unknown field \"context\""));
  ASSERT_TRUE(WriteFileAtomically(path, "contexts:\n  lab: 10.0.0.1\n").ok());
  EXPECT_FALSE(ReadContexts(path).ok());
}

TEST(ContextsTest, TheAddressThenTheNamedThenTheCurrentThenTheDefault) {
  const Contexts contexts{"lab", {{"lab", "l:1"}, {"here", "h:1"}}};
  EXPECT_EQ(*ChooseCoordinator("x:9", "here", contexts), "x:9");
  EXPECT_EQ(*ChooseCoordinator("", "here", contexts), "h:1");
  EXPECT_EQ(*ChooseCoordinator("", "", contexts), "l:1");
  EXPECT_EQ(*ChooseCoordinator("", "", Contexts()), kDefaultCoordinator);
  const auto unknown = ChooseCoordinator("", "lap", contexts);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("did you mean \"lab\"?"));
}

}  // namespace
}  // namespace trainyard::cli
