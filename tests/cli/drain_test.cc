#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using DrainTest = VerbTest;

TEST_F(DrainTest, TheNodesTasksAreStoppedAndNewOnesStayAway) {
  Submit("name: demo\nfake: {steps: 3}\n");
  node().Await("demo", "trainer/0");
  const Ran ran = Run({"drain", "node-a", "--deadline", "60"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("node node-a drains; trainyard nodes shows when it is empty"));
  EXPECT_THAT(ran.out, HasSubstr("trainyard cordon node-a --undo takes it back"));
  EXPECT_EQ(node().AwaitStop("demo", "trainer/0"), 60);
  node().Exit("demo", "trainer/0", v1::END_DRAINED, "");
  EXPECT_TRUE(Becomes("demo", v1::QUEUED));
}

TEST_F(DrainTest, JsonIsTheNode) {
  node();
  const Ran ran = Run({"drain", "node-a", "-o", "json"});
  EXPECT_EQ(ran.At("/name"), "node-a");
  EXPECT_EQ(ran.At("/cordoned"), "true");
}

TEST_F(DrainTest, AnUnknownNodeIsNamedWithWhereToLook) {
  const Ran ran = Run({"drain", "nowhere"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("'nowhere'"));
  EXPECT_THAT(ran.err, HasSubstr("what to do: trainyard nodes shows"));
}

TEST_F(DrainTest, ADeadlineIsANumberOfSeconds) {
  node();
  const Ran ran = Run({"drain", "node-a", "--deadline", "soon"});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("--deadline"));
  ExpectMissing({"drain"}, "NODE");
}

}  // namespace
}  // namespace trainyard::cli
