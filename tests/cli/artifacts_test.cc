#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using ArtifactsTest = VerbTest;

TEST_F(ArtifactsTest, WithoutOutputsItSaysWhenTheyCome) {
  Submit("name: demo\nfake: {steps: 3}\n");
  const Ran ran = Run({"artifacts"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "no outputs yet; a job writes them when it succeeds\n");
  EXPECT_EQ(Run({"artifacts", "demo"}).out, ran.out);
}

TEST_F(ArtifactsTest, AnOutputIsARowUnderTheNameThatOtherVerbsTake) {
  const std::string id = Succeeded("demo");
  const Ran ran = Run({"artifacts"});
  EXPECT_THAT(ran.out, HasSubstr("demo/model  model  2.0 KiB  " + id));
  EXPECT_THAT(ran.out, HasSubstr("root://runs/demo/model\n"));
}

TEST_F(ArtifactsTest, AnOlderJobOfTheSameNameGoesByItsId) {
  const std::string older = Succeeded("demo");
  const std::string newer = Succeeded("demo");
  const Ran all = Run({"artifacts"});
  EXPECT_LT(all.out.find("demo/model"), all.out.find(newer)) << all.out;
  EXPECT_LT(all.out.find(newer), all.out.find(older + "/model")) << all.out;
  EXPECT_THAT(Run({"artifacts", older}).out, HasSubstr(older + "/model"));
}

TEST_F(ArtifactsTest, APipelineHasThoseOfItsStages) {
  Submit("name: line\nstages: [{name: first, fake: {steps: 1}}]\n");
  const v1::Artifact model = OutputAt("model", "root://runs/line/first/model");
  node().Succeed("first", "trainer/0", model);
  EXPECT_THAT(Run({"artifacts", "line"}).out, HasSubstr("first/model"));
}

TEST_F(ArtifactsTest, JsonIsTheOutputs) {
  const std::string id = Succeeded("demo");
  const Ran ran = Run({"artifacts", "demo", "-o", "json"});
  EXPECT_EQ(ran.At("/outputs/0/name"), "model");
  EXPECT_EQ(ran.At("/outputs/0/job_id"), id);
}

TEST_F(ArtifactsTest, AnUnknownJobIsNamed) { ExpectUnknownJobIsNamed({"artifacts", "nobody"}); }

}  // namespace
}  // namespace trainyard::cli
