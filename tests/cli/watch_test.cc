#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using WatchTest = VerbTest;

constexpr char kDemo[] = "name: demo\nfake: {steps: 3}\n";

TEST_F(WatchTest, EveryChangeIsALineUntilTheJobIsOver) {
  const std::string id = Submit(kDemo);
  const auto verb = Start({"watch", "demo"});
  ASSERT_TRUE(verb->Says("demo  queued"));
  node().Await(id, "trainer/0");
  ASSERT_TRUE(verb->Says("demo  active"));
  node().Exit(id, "trainer/0", v1::END_USER_ERROR, "rows are missing");
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kJobFailed) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("user_error: rows are missing"));
  EXPECT_EQ(ran.out.find('\x1b'), std::string::npos) << "no terminal, no control characters";
}

TEST_F(WatchTest, TheOutcomeIsTheExitCode) {
  Submit(kDemo);
  ASSERT_EQ(Run({"cancel", "demo"}).code, kDone);
  EXPECT_EQ(Run({"watch", "demo"}).code, kJobCancelled);
  Succeeded("good");
  EXPECT_EQ(Run({"watch", "good"}).code, kDone);
}

TEST_F(WatchTest, JsonIsTheJobOnALineAtEachChange) {
  const std::string id = Submit(kDemo);
  const auto verb = Start({"watch", "demo", "-o", "json"});
  ASSERT_TRUE(verb->Says("\"state\":\"queued\""));
  ASSERT_EQ(Job(id).state(), v1::QUEUED);
  node().Exit(id, "trainer/0", v1::END_USER_ERROR, "rows are missing");
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kJobFailed) << ran.err;
  const Ran last = {ran.code, ran.out.substr(ran.out.rfind("{\"id\"")), ran.err};
  EXPECT_EQ(last.At("/state"), "failed");
}

TEST_F(WatchTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"watch", "nobody"});
  ExpectMissing({"watch"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
