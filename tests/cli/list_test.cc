#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class ListTest : public VerbTest {
 protected:
  void SubmitNamed(const std::string& name) { Submit("name: " + name + "\nfake: {steps: 3}\n"); }
};

TEST_F(ListTest, AnEmptyClusterSaysHowToSubmit) {
  const Ran ran = Run({"list"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("no jobs; submit one: trainyard submit"));
  EXPECT_EQ(Run({"list", "-o", "json"}).At("/jobs/0"), "nothing at /jobs/0 of {}\n");
}

TEST_F(ListTest, TheNewestJobComesFirstAndTheLimitSaysThatThereIsMore) {
  for (const char* name : {"one", "two", "three"}) SubmitNamed(name);
  const Ran all = Run({"list"});
  EXPECT_LT(all.out.find("three"), all.out.find("two")) << all.out;
  EXPECT_LT(all.out.find("two"), all.out.find("one")) << all.out;
  EXPECT_EQ(all.out.find("more:"), std::string::npos);
  const Ran some = Run({"list", "-n", "2"});
  EXPECT_EQ(some.out.find("one"), std::string::npos) << some.out;
  EXPECT_THAT(some.out, HasSubstr("more: trainyard list --limit N"));
}

TEST_F(ListTest, AFilterKeepsWhatFits) {
  SubmitNamed("one");
  SubmitNamed("two");
  ASSERT_EQ(Run({"cancel", "one"}).code, kDone);
  const Ran cancelled = Run({"list", "--filter", "state=CANCELLED, kind=fake", "-o", "json"});
  EXPECT_EQ(cancelled.At("/jobs/0/spec/name"), "one");
  EXPECT_THAT(cancelled.At("/jobs/1"), HasSubstr("nothing at"));
}

TEST_F(ListTest, AWrongFilterAndAWrongLimitAreUsageErrorsThatNameThem) {
  const Ran filter = Run({"list", "-f", "colour=red"});
  EXPECT_EQ(filter.code, kUsage);
  EXPECT_THAT(filter.err, HasSubstr("colour"));
  const Ran limit = Run({"list", "--limit", "0"});
  EXPECT_EQ(limit.code, kUsage);
  EXPECT_THAT(limit.err, HasSubstr("--limit: Value 0 not in range 1 to 1000000"));
}

}  // namespace
}  // namespace trainyard::cli
