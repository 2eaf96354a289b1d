#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using GetTest = VerbTest;

constexpr char kDemo[] = "name: demo\nfake: {steps: 3}\n";

TEST_F(GetTest, AJobIsOneRowByItsNameAndByItsId) {
  const std::string id = Submit(kDemo);
  const Ran named = Run({"get", "demo"});
  EXPECT_EQ(named.code, kDone) << named.err;
  EXPECT_THAT(named.out, HasSubstr(id + "  demo  fake  queued"));
  EXPECT_THAT(Run({"get", id}).out, HasSubstr(id + "  demo  fake  queued"));
}

TEST_F(GetTest, APipelineIsARowForEachStage) {
  const std::string id = Submit(
      "name: line\nstages:\n- {name: first, fake: {steps: 1}}\n"
      "- {name: second, fake: {steps: 1}, after: [first]}\n");
  const Ran ran = Run({"get", "line"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_LT(ran.out.find("first"), ran.out.find("second")) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("blocked"));
  EXPECT_EQ(Run({"get", id, "-o", "json"}).At("/jobs/1/stage"), "second");
}

TEST_F(GetTest, JsonAndYamlAreTheWholeJob) {
  const std::string id = Submit(kDemo);
  const Ran json = Run({"get", "demo", "-o", "json"});
  EXPECT_EQ(json.At("/id"), id);
  EXPECT_EQ(json.At("/state"), "queued");
  EXPECT_EQ(json.At("/spec/fake/steps"), "3");
  EXPECT_THAT(Run({"get", "demo", "-o", "yaml"}).out, HasSubstr("\nstate: queued\n"));
}

TEST_F(GetTest, AnUnknownNameIsSaidWithWhereToLook) {
  ExpectUnknownJobIsNamed({"get", "nobody"});
  ExpectUnknownJobIsNamed({"get", "pipeline-nobody"});
  ExpectMissing({"get"}, "JOB");
}

}  // namespace
}  // namespace trainyard::cli
