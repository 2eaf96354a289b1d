#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using RetryTest = VerbTest;

constexpr char kLine[] =
    "name: line\nstages:\n- {name: first, fake: {steps: 1}}\n"
    "- {name: second, fake: {steps: 1}, after: [first]}\n";

TEST_F(RetryTest, AFailedJobIsQueuedAgainAndForgetsItsEnd) {
  const std::string id = Failed("demo");
  ASSERT_EQ(Run({"cordon", "node-a"}).code, kDone);  // so that it waits
  const Ran ran = Run({"retry", "demo"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr(id + "  demo  fake  queued"));
  EXPECT_FALSE(Job(id).has_end());
}

TEST_F(RetryTest, APipelineIsTriedAgainFromItsFailedStage) {
  const std::string id = Submit(kLine);
  ASSERT_EQ(Run({"cancel", id}).code, kDone);
  const Ran ran = Run({"retry", "line", "-o", "json"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.At("/id"), id);
  EXPECT_EQ(ran.At("/jobs/0/state"), "queued");
  EXPECT_EQ(ran.At("/jobs/1/state"), "blocked");
}

TEST_F(RetryTest, WhatDidNotFailIsRefused) {
  Submit("name: demo\nfake: {steps: 3}\n");
  const Ran job = Run({"retry", "demo"});
  EXPECT_EQ(job.code, kRefused);
  EXPECT_THAT(job.err, HasSubstr("('demo') is QUEUED: it can not be retried"));
  Submit(kLine);
  const Ran pipeline = Run({"retry", "line"});
  EXPECT_EQ(pipeline.code, kRefused);
  EXPECT_THAT(pipeline.err, HasSubstr("no stage that failed or was cancelled"));
}

TEST_F(RetryTest, ANameThatAnotherJobHasNowIsRefused) {
  const std::string first = Submit("name: demo\nfake: {steps: 3}\n");
  ASSERT_EQ(Run({"cancel", first}).code, kDone);
  const std::string second = Submit("name: demo\nfake: {steps: 3}\n");
  const Ran ran = Run({"retry", first});
  EXPECT_EQ(ran.code, kRefused);
  EXPECT_THAT(ran.err, HasSubstr("job " + second + " has the name 'demo' now"));
}

TEST_F(RetryTest, AnUnknownJobIsNamed) {
  ExpectUnknownJobIsNamed({"retry", "nobody"});
  ExpectMissing({"retry"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
