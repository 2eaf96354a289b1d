// What `up` does before it starts anything: its coordinator does not lie beside this test, so it
// ends there. The cluster itself: end_to_end_test.cc.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class UpTest : public VerbTest {
 protected:
  Ran Up(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"up", "--dir", cluster_, "--listen", "127.0.0.1:0"});
    return RunLine(more);
  }

  const std::string cluster_ = dir().File("cluster");
};

TEST_F(UpTest, AProgramThatIsNotBesideIsNamed) {
  const Ran ran = Up();
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("/trainyard-coordinator is not there; build or install it"));
  EXPECT_EQ(ran.out, "") << "nothing runs";
}

TEST_F(UpTest, TheDefaultRootsAreBelowTheDirectoryEachWithAnIdOfItsOwn) {
  Up();
  const auto data = ReadFile(cluster_ + "/roots/data/.trainyard-cluster-id");
  const auto runs = ReadFile(cluster_ + "/roots/runs/.trainyard-cluster-id");
  ASSERT_TRUE(data.ok() && runs.ok());
  EXPECT_NE(*data, *runs);
}

TEST_F(UpTest, AGivenRootTakesThePlaceOfTheDefaultOneAndKeepsItsId) {
  const std::string mine = dir().File("mine");
  ASSERT_TRUE(MakeDirectories(mine).ok());
  ASSERT_TRUE(WriteFileAtomically(mine + "/.trainyard-cluster-id", "root-of-before\n").ok());
  Up({"--root", "data=" + mine});
  EXPECT_EQ(ReadFile(mine + "/.trainyard-cluster-id").value_or("nothing"), "root-of-before\n");
  EXPECT_FALSE(std::filesystem::exists(cluster_ + "/roots/data"));
  EXPECT_TRUE(std::filesystem::exists(cluster_ + "/roots/runs"));
}

TEST_F(UpTest, ARootThatIsNoDirectoryIsNamed) {
  const Ran ran = Up({"--root", "data=/no/such/directory"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("--root data=/no/such/directory: must be NAME=DIRECTORY"));
}

TEST_F(UpTest, ADirectoryInUseIsRefusedWithTheAddressOfItsCluster) {
  ASSERT_TRUE(MakeDirectories(cluster_).ok());
  ASSERT_TRUE(WriteFileAtomically(cluster_ + "/address", "127.0.0.1:4242\n").ok());
  const int fd = open((cluster_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
  const Ran ran = Up();
  close(fd);
  EXPECT_EQ(ran.code, kRefused);
  EXPECT_THAT(ran.err, HasSubstr("a cluster runs in " + cluster_ +
                                 " already (coordinator 127.0.0.1:4242); stop it first"));
}

TEST_F(UpTest, SlotsAreFromOneToTheLargestMachine) {
  for (const char* slots : {"0", "-2", "4097", "many"}) {
    const Ran ran = Up({"--slots", slots});
    EXPECT_EQ(ran.code, kUsage) << slots;
    EXPECT_THAT(ran.err, HasSubstr("--slots")) << slots;
  }
  EXPECT_FALSE(std::filesystem::exists(cluster_));
}

}  // namespace
}  // namespace trainyard::cli
