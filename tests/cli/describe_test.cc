#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using DescribeTest = VerbTest;

TEST_F(DescribeTest, ARunningJobIsShownWithItsTasksCheckpointsEventsAndSpec) {
  const std::string id = Submit("name: demo\nfake: {steps: 30}\n");
  node().Commit("demo", "trainer/0", 10);
  const Ran ran = Run({"describe", "demo"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("id:           " + id + "\n"));
  EXPECT_THAT(ran.out, HasSubstr("state:        active\n"));
  EXPECT_THAT(ran.out, HasSubstr("attempt 1 (epoch "));
  EXPECT_THAT(ran.out, HasSubstr("trainer/0  assigned  node-a"));
  EXPECT_THAT(ran.out, HasSubstr("step 10"));
  EXPECT_THAT(ran.out, HasSubstr("checkpoint.committed"));
  EXPECT_THAT(ran.out, HasSubstr("\nspec\nname: demo\n"));
}

TEST_F(DescribeTest, AWaitingJobSaysWhyItWaitsAndWhatWouldHelp) {
  node();
  ASSERT_EQ(Run({"cordon", "node-a"}).code, kDone);
  Submit("name: demo\nfake: {steps: 3}\n");
  EXPECT_THAT(Run({"describe", "demo"}).out,
              HasSubstr("reason:       none of the 1 nodes takes tasks (lost or cordoned); "
                        "uncordon node node-a\n"));
}

TEST_F(DescribeTest, AFailedJobSaysHowItEnded) {
  Failed("demo");
  EXPECT_THAT(Run({"describe", "demo"}).out,
              HasSubstr("end:          user_error: rows are missing"));
}

TEST_F(DescribeTest, APipelineIsItsStages) {
  const std::string id = Submit(
      "name: line\nstages:\n- {name: first, fake: {steps: 1}}\n"
      "- {name: second, fake: {steps: 1}, after: [first]}\n");
  const Ran ran = Run({"describe", "line"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("pipeline " + id + " (line)\n"));
  EXPECT_THAT(ran.out, HasSubstr(id + " (stage first)"));
  EXPECT_THAT(ran.out, HasSubstr(id + " (stage second)"));
}

TEST_F(DescribeTest, JsonIsTheJobAlone) {
  const std::string id = Submit("name: demo\nfake: {steps: 3}\n");
  EXPECT_EQ(Run({"describe", "demo", "-o", "json"}).At("/id"), id);
}

TEST_F(DescribeTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"describe", "nobody"});
  ExpectMissing({"describe"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
