#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

class MetricsTest : public VerbTest {
 protected:
  // "demo" reports its loss at two steps. They are written behind the call that brings them.
  void SetUp() override {
    Submit("name: demo\nfake: {steps: 30}\n");
    node().Report("demo", "trainer/0", 0, "loss", 5.25);
    node().Report("demo", "trainer/0", 10, "loss", 2.5);
    ASSERT_TRUE(testing::WaitUntil(kLimit, [&] {
      return Run({"metrics", "demo", "-o", "json"}).At("/points/1/step") == "10";
    }));
  }
};

TEST_F(MetricsTest, AMetricIsAColumnAndAStepARow) {
  const Ran ran = Run({"metrics", "demo"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "STEP  loss\n0     5.25\n10    2.5\n");
}

TEST_F(MetricsTest, StepsBeforeTheFirstOneWantedAreLeftOut) {
  EXPECT_EQ(Run({"metrics", "demo", "--from", "1"}).out, "STEP  loss\n10    2.5\n");
}

TEST_F(MetricsTest, JsonHasTheValuesByName) {
  const Ran ran = Run({"metrics", "demo", "-o", "json"});
  EXPECT_EQ(ran.At("/points/0/values/loss"), "5.25");
  EXPECT_EQ(ran.At("/points/1/values/loss"), "2.5");
}

TEST_F(MetricsTest, AJobThatReportedNothingSaysSo) {
  Submit("name: silent\nfake: {steps: 30}\n");
  const Ran ran = Run({"metrics", "silent"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "no metrics yet\n");
}

TEST_F(MetricsTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"metrics", "nobody"});
  ExpectMissing({"metrics"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
