#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using ResumeTest = VerbTest;

TEST_F(ResumeTest, APausedJobGoesBackToTheQueue) {
  const std::string id = Submit("name: demo\nfake: {steps: 3}\n");
  ASSERT_EQ(Run({"pause", "demo"}).code, kDone);
  const Ran ran = Run({"resume", "demo"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, id + " (demo) resumes; it is queued now\n");
  EXPECT_EQ(Job(id).state(), v1::QUEUED);
}

TEST_F(ResumeTest, AJobThatWasNotPausedStaysAsItIs) {
  Submit("name: demo\nfake: {steps: 3}\n");
  const Ran ran = Run({"resume", "demo", "-o", "json"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.At("/state"), "queued");
  EXPECT_EQ(ran.At("/desired"), "run");
}

TEST_F(ResumeTest, AJobThatIsOverIsRefusedWithItsState) {
  Failed("demo");
  const Ran ran = Run({"resume", "demo"});
  EXPECT_EQ(ran.code, kRefused);
  EXPECT_THAT(ran.err, HasSubstr("('demo') is FAILED: it can not be resumed"));
}

TEST_F(ResumeTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"resume", "nobody"});
  ExpectMissing({"resume"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
