#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using NodesTest = VerbTest;

TEST_F(NodesTest, AClusterWithoutNodesSaysHowToStartOne) {
  const Ran ran = Run({"nodes"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "no nodes; start an agent: trainyard-agent --config FILE, or trainyard up\n");
}

TEST_F(NodesTest, ANodeIsARowWithWhatItHasAndWhatItRuns) {
  Submit("name: demo\nfake: {steps: 3}\n");
  node().Await("demo", "trainer/0");
  const Ran ran = Run({"nodes"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("node-a  alive  host-of-node-a  1.0/16.0  "));
  EXPECT_THAT(ran.out, HasSubstr("/64.0 GiB  0     1      "));
  EXPECT_THAT(ran.out, HasSubstr("s ago  data,runs\n"));
}

TEST_F(NodesTest, ACordonedNodeSaysSo) {
  node();
  ASSERT_EQ(Run({"cordon", "node-a"}).code, kDone);
  EXPECT_THAT(Run({"nodes"}).out, HasSubstr("alive, cordoned"));
}

TEST_F(NodesTest, JsonIsEveryNode) {
  node();
  const Ran ran = Run({"nodes", "-o", "json"});
  EXPECT_EQ(ran.At("/nodes/0/name"), "node-a");
  EXPECT_EQ(ran.At("/nodes/0/alive"), "true");
  EXPECT_EQ(ran.At("/nodes/0/cpu_milli"), "16000");
}

TEST_F(NodesTest, AnArgumentTooManyIsAUsageError) {
  const Ran ran = Run({"nodes", "node-a"});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("node-a"));
}

}  // namespace
}  // namespace trainyard::cli
