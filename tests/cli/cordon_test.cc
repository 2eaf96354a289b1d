#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using CordonTest = VerbTest;

TEST_F(CordonTest, ACordonedNodeGetsNoNewTasksUntilItIsTakenBack) {
  node();
  const Ran cordoned = Run({"cordon", "node-a"});
  EXPECT_EQ(cordoned.code, kDone) << cordoned.err;
  EXPECT_EQ(cordoned.out, "node node-a gets no new tasks\n");
  const std::string id = Submit("name: demo\nfake: {steps: 3}\n");
  EXPECT_EQ(Job(id).state(), v1::QUEUED);
  EXPECT_EQ(Run({"cordon", "node-a", "--undo"}).out, "node node-a takes new tasks\n");
  node().Await(id, "trainer/0");
}

TEST_F(CordonTest, RunningTasksStay) {
  Submit("name: demo\nfake: {steps: 3}\n");
  node().Await("demo", "trainer/0");
  ASSERT_EQ(Run({"cordon", "node-a"}).code, kDone);
  EXPECT_EQ(Job("demo").state(), v1::ACTIVE);
  EXPECT_EQ(Job("demo").current().tasks_size(), 1);
}

TEST_F(CordonTest, JsonIsTheNode) {
  node();
  EXPECT_EQ(Run({"cordon", "node-a", "-o", "json"}).At("/cordoned"), "true");
}

TEST_F(CordonTest, AnUnknownNodeIsNamedWithWhereToLook) {
  const Ran ran = Run({"cordon", "nowhere"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("'nowhere'"));
  EXPECT_THAT(ran.err, HasSubstr("what to do: trainyard nodes shows"));
  ExpectMissing({"cordon"}, "NODE");
}

}  // namespace
}  // namespace trainyard::cli
