#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class EventsTest : public VerbTest {
 protected:
  void SubmitNamed(const std::string& name) { Submit("name: " + name + "\nfake: {steps: 3}\n"); }
};

TEST_F(EventsTest, WhatHappenedComesOldestFirstWithItsReason) {
  SubmitNamed("demo");
  ASSERT_EQ(Run({"cancel", "demo", "--reason", "enough of it"}).code, kDone);
  const Ran ran = Run({"events"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("REVISION  TIME"));
  EXPECT_LT(ran.out.find("job.submitted"), ran.out.find("job.cancelling")) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("enough of it"));
}

TEST_F(EventsTest, OfAJobThereAreOnlyItsOwn) {
  SubmitNamed("one");
  SubmitNamed("two");
  const Ran ran = Run({"events", "two", "-o", "json"});
  EXPECT_EQ(ran.At("/events/0/type"), "job.submitted");
  EXPECT_EQ(ran.At("/events/0/job_id"), Job("two").id());
  EXPECT_EQ(ran.At("/events/1/type"), "job.queued");
  EXPECT_THAT(ran.At("/events/2"), HasSubstr("nothing at"));
}

TEST_F(EventsTest, AfterARevisionThereAreOnlyLaterOnes) {
  SubmitNamed("one");
  const std::string last = Run({"events", "-o", "json"}).At("/events/1/revision");
  SubmitNamed("two");
  const Ran ran = Run({"events", "--after", last, "-o", "json"});
  EXPECT_EQ(ran.At("/events/0/job_id"), Job("two").id());
}

TEST_F(EventsTest, TheLimitIsKeptAndEventsOfOneRevisionStayTogether) {
  SubmitNamed("one");
  SubmitNamed("two");
  const Ran two = Run({"events", "-n", "2", "-o", "json"});
  EXPECT_EQ(two.At("/events/1/job_id"), Job("one").id());
  EXPECT_THAT(two.At("/events/2"), HasSubstr("nothing at"));
  EXPECT_EQ(Run({"events", "-n", "1", "-o", "json"}).At("/events"), two.At("/events"));
  const Ran none = Run({"events", "-n", "0"});
  EXPECT_EQ(none.code, kUsage);
  EXPECT_THAT(none.err, HasSubstr("--limit: Value 0 not in range 1 to 1000000"));
}

TEST_F(EventsTest, AnUnknownJobIsNamed) { ExpectUnknownJobIsNamed({"events", "nobody"}); }

}  // namespace
}  // namespace trainyard::cli
