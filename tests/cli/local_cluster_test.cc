#include "cli/local_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/process.h"

namespace trainyard::cli {
namespace {

class LocalClusterTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("XDG_STATE_HOME", dir_.path().c_str(), 1); }
  testing::TempDir dir_;
};

TEST_F(LocalClusterTest, RootsOfAClusterOfThisMachineAreKnown) {
  ASSERT_TRUE(NoteLocalCluster("127.0.0.1:1", {{"runs", "/r"}}).ok());
  EXPECT_EQ(RootsOf("127.0.0.1:1", {})->directories().at("runs"), "/r");
  const auto given = RootsOf("127.0.0.1:1", {"runs=" + dir_.path()});
  EXPECT_EQ(given->directories().at("runs"), dir_.path());
  ForgetLocalCluster("127.0.0.1:1");
  const auto forgotten = RootsOf("127.0.0.1:1", {});
  EXPECT_EQ(forgotten.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(forgotten.status().message()), ::testing::HasSubstr("--root"));
}

TEST_F(LocalClusterTest, RootsThatAreNoDirectoriesAreRefused) {
  EXPECT_FALSE(ParseRoots({"data"}).ok());
  EXPECT_FALSE(ParseRoots({"data=/no/such/directory"}).ok());
  EXPECT_FALSE(ParseRoots({"Da ta=" + dir_.path()}).ok());
  EXPECT_EQ(ParseRoots({"data=" + dir_.path()})->size(), 1u);
}

}  // namespace
}  // namespace trainyard::cli
