#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/atomic_file.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kReport[] =
    R"({"metrics": [{"name": "variety",
                     "models": {"sft": {"value": 0.25}, "ppo": {"value": 0.5}}}]})";

class EvalTest : public VerbTest {
 protected:
  void SetUp() override {
    for (const char* directory : {"data/sft", "data/ppo", "runs/out"}) {
      ASSERT_TRUE(MakeDirectories(dir().File(directory)).ok());
    }
  }

  // Two models and prompts, and what else is given.
  std::vector<std::string> Line(const std::vector<std::string>& more) const {
    std::vector<std::string> line = {"eval",
                                     "sft=root://data/sft",
                                     "ppo=root://data/ppo",
                                     "--baseline",
                                     "sft",
                                     "--prompts",
                                     "root://data/test.jsonl",
                                     "--root",
                                     "data=" + dir().File("data"),
                                     "--root",
                                     "runs=" + dir().File("runs")};
    line.insert(line.end(), more.begin(), more.end());
    return line;
  }

  // The job's task writes its report.
  void Report() {
    ASSERT_TRUE(WriteFileAtomically(dir().File("runs/out/report.json"), kReport).ok());
    const v1::Artifact report = OutputAt("report", "root://runs/out");
    node().Succeed("", "controller/0", report);
  }
};

TEST_F(EvalTest, TheMeasuresArePrintedForEachModel) {
  const auto verb = Start(Line({"--metric", "variety=distinct_2"}));
  Report();
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("variety  sft    0.25"));
  EXPECT_THAT(ran.out, HasSubstr("variety  ppo    0.5"));
}

TEST_F(EvalTest, JsonIsTheReport) {
  const auto verb = Start(Line({"--metric", "variety=distinct_2", "-o", "json"}));
  Report();
  EXPECT_EQ(verb->End().At("/metrics/0/models/ppo/value"), "0.5");
}

TEST_F(EvalTest, TheFlagsAreTheSpec) {
  const auto verb =
      Start(Line({"--metric", "variety=distinct_2", "--metric", "polarity=root://data/words.xml",
                  "--limit", "9", "--max-new-tokens", "5", "--chat-template", "plain"}));
  const v1::EvalSpec spec = node().Await("", "controller/0").eval();
  Report();
  ASSERT_EQ(verb->End().code, kDone);
  ASSERT_EQ(spec.models_size(), 2);
  EXPECT_EQ(spec.models(0).name(), "sft");
  EXPECT_EQ(spec.models(0).model().uri(), "root://data/sft");
  EXPECT_TRUE(spec.models(0).baseline());
  EXPECT_FALSE(spec.models(1).baseline());
  EXPECT_EQ(spec.prompts(0).file().uri(), "root://data/test.jsonl");
  EXPECT_EQ(spec.limit(), 9);
  EXPECT_EQ(spec.sampling().max_new_tokens(), 5);
  EXPECT_EQ(spec.chat_template().name(), "plain");
  ASSERT_EQ(spec.metrics_size(), 2);
  EXPECT_EQ(spec.metrics(0).name(), "variety");
  EXPECT_EQ(spec.metrics(0).kind(), "distinct_2");
  EXPECT_EQ(spec.metrics(1).kind(), "polarity");
  EXPECT_EQ(spec.metrics(1).file().uri(), "root://data/words.xml");
}

TEST_F(EvalTest, AJobThatFailsIsToldWithItsExitCode) {
  const auto verb = Start(Line({"--metric", "variety=distinct_2"}));
  node().Exit("", "rollout/1", v1::END_USER_ERROR, "no model there");
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kJobFailed);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("user_error: no model there"));
}

TEST_F(EvalTest, AModelOrAMetricWithoutItsNameIsShownTheForm) {
  const Ran model = Run(Line({"root://data/sft"}));
  EXPECT_EQ(model.code, kUsage);
  EXPECT_THAT(model.err, HasSubstr("\"root://data/sft\" must be NAME=root://"));
  const Ran metric = Run(Line({"--metric", "distinct_2"}));
  EXPECT_EQ(metric.code, kUsage);
  EXPECT_THAT(metric.err, HasSubstr("\"distinct_2\" must be KIND=FILE, or NAME=KIND"));
}

TEST_F(EvalTest, ABaselineThatIsNoneOfTheModelsIsNamed) {
  std::vector<std::string> line = Line({"--metric", "variety=distinct_2"});
  *std::find(line.begin(), line.end(), "sft") = "rm";
  const Ran ran = Run(line);
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("--baseline rm"));
  EXPECT_THAT(ran.err, HasSubstr("sft, ppo"));
}

TEST_F(EvalTest, ModelsAndPromptsAreRequired) {
  ExpectMissing({"eval", "--prompts", "root://data/p.jsonl"}, "MODEL");
  ExpectMissing({"eval", "a=root://data/a"}, "--prompts");
}

}  // namespace
}  // namespace trainyard::cli
