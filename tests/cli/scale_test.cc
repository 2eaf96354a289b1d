#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using ScaleTest = VerbTest;

constexpr char kElastic[] =
    "name: demo\nroles: [{name: trainer}, {name: rollout, count: 1}]\nfake: {steps: 3}\n";

TEST_F(ScaleTest, TheWantedCountOfAnElasticRoleIsStored) {
  const std::string id = Submit(kElastic);
  const Ran ran = Run({"scale", "demo", "rollout=3"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out,
            id + " (demo) wants 3 rollout; watch them with trainyard describe " + id + "\n");
  EXPECT_EQ(Job(id).wanted().at("rollout"), 3);
  EXPECT_EQ(Run({"scale", "demo", "rollout=0", "-o", "json"}).At("/wanted/rollout"), "0");
}

TEST_F(ScaleTest, WhatIsNoRoleAndCountIsAUsageErrorThatShowsTheForm) {
  Submit(kElastic);
  for (const char* change : {"rollout", "=3", "rollout=", "rollout=-1", "rollout=three"}) {
    const Ran ran = Run({"scale", "demo", change});
    EXPECT_EQ(ran.code, kUsage) << change;
    EXPECT_THAT(ran.err, HasSubstr("must be ROLE=COUNT, for example rollout=3")) << change;
  }
  EXPECT_EQ(Job("demo").wanted().at("rollout"), 1);
  ExpectMissing({"scale", "demo"}, "ROLE=COUNT");
}

TEST_F(ScaleTest, ARoleOfAFixedSizeIsRefusedByItsName) {
  Submit(kElastic);
  const Ran ran = Run({"scale", "demo", "trainer=2"});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("has no elastic role 'trainer'"));
}

TEST_F(ScaleTest, AJobThatIsOverIsRefused) {
  Submit(kElastic);
  ASSERT_EQ(Run({"cancel", "demo"}).code, kDone);
  EXPECT_EQ(Run({"scale", "demo", "rollout=2"}).code, kRefused);
}

TEST_F(ScaleTest, AnUnknownJobIsNamed) { ExpectUnknownJobIsNamed({"scale", "nobody", "x=1"}); }

}  // namespace
}  // namespace trainyard::cli
