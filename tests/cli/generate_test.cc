#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kRows[] =
    "{\"prompt\": \"the film was\", \"answers\": [{\"text\": \" good\"}, {\"text\": \" bad\"}]}\n";

class GenerateTest : public VerbTest {
 protected:
  void SetUp() override {
    for (const char* directory : {"data/model", "runs/out", "runs/demo/model"}) {
      ASSERT_TRUE(MakeDirectories(dir().File(directory)).ok());
    }
  }

  std::vector<std::string> Line(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "generate");
    arguments.insert(arguments.end(), {"--root", "data=" + dir().File("data"), "--root",
                                       "runs=" + dir().File("runs")});
    return arguments;
  }

  // The job's task writes its answers.
  void Answer() {
    ASSERT_TRUE(WriteFileAtomically(dir().File("runs/out/answers.jsonl"), kRows).ok());
    const v1::Artifact answers = OutputAt("answers", "root://runs/out");
    node().Succeed("", "controller/0", answers);
  }
};

TEST_F(GenerateTest, TheAnswersArePrintedBelowTheirPrompt) {
  const auto verb = Start(Line({"root://data/model", "the film was"}));
  Answer();
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "> the film was\n good\n bad\n\n");
}

TEST_F(GenerateTest, JsonIsTheRowsOfTheAnswersFile) {
  const auto verb = Start(Line({"root://data/model", "the film was", "-o", "json"}));
  Answer();
  EXPECT_EQ(verb->End().out, kRows);
}

TEST_F(GenerateTest, TheFlagsAreTheSpecAndTextsAFileOfPrompts) {
  const auto verb = Start(Line({"root://data/model", "the film was", "--n", "2", "--seed", "7",
                                "--chat-template", "chatml"}));
  const v1::GenerateSpec spec = node().Await("", "controller/0").generate();
  Answer();
  ASSERT_EQ(verb->End().code, kDone);
  EXPECT_EQ(spec.model().uri(), "root://data/model");
  EXPECT_EQ(spec.sampling().n(), 2);
  EXPECT_EQ(spec.sampling().seed(), 7u);
  EXPECT_EQ(spec.chat_template().name(), "chatml");
  const std::string prompts = spec.prompts(0).file().uri();
  ASSERT_EQ(prompts.rfind("root://runs/", 0), 0u) << prompts;
  EXPECT_EQ(ReadFile(dir().File("runs/" + prompts.substr(12))).value_or("nothing"),
            "{\"prompt\":\"the film was\"}\n");
}

TEST_F(GenerateTest, AnOutputIsAModelAndAFileOfPromptsHasALimit) {
  const std::string trained = Succeeded("demo");
  const auto verb =
      Start(Line({"demo/model", "--file", "root://data/prompts.jsonl", "--limit", "5"}));
  const v1::GenerateSpec spec = node().Await("", "controller/0").generate();
  Answer();
  ASSERT_EQ(verb->End().code, kDone);
  EXPECT_THAT(spec.model().artifact(), HasSubstr("/model"));
  EXPECT_EQ(spec.prompts(0).file().uri(), "root://data/prompts.jsonl");
  EXPECT_EQ(spec.limit(), 5);
  EXPECT_FALSE(spec.has_chat_template()) << "the model records none";
}

TEST_F(GenerateTest, AJobThatFailsIsToldWithItsExitCode) {
  const auto verb = Start(Line({"root://data/model", "the film was"}));
  node().Exit("", "rollout/0", v1::END_USER_ERROR, "no model there");
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kJobFailed);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("user_error: no model there"));
}

TEST_F(GenerateTest, PromptsComeAsTextsOrAsAFileAndNotAsBoth) {
  const Ran neither = Run(Line({"root://data/model"}));
  EXPECT_EQ(neither.code, kUsage);
  EXPECT_THAT(neither.err, HasSubstr("give prompts as texts, or one --file"));
  const Ran both = Run(Line({"root://data/model", "a", "--file", "root://data/p.jsonl"}));
  EXPECT_EQ(both.code, kUsage);
  ExpectMissing({"generate"}, "MODEL");
}

TEST_F(GenerateTest, AModelThatIsNotThereIsNamedBeforeAnythingIsSubmitted) {
  const Ran file = Run(Line({"root://data/nothing", "a"}));
  EXPECT_EQ(file.code, kNotFound);
  EXPECT_THAT(file.err, HasSubstr("root://data/nothing"));
  const Ran output = Run(Line({"nobody/model", "a"}));
  EXPECT_EQ(output.code, kNotFound);
  EXPECT_THAT(output.err, HasSubstr("nobody"));
  EXPECT_THAT(Run({"list"}).out, HasSubstr("no jobs"));
}

TEST_F(GenerateTest, RootsThatAreNotKnownHereAreAskedFor) {
  const Ran ran = Run({"generate", "root://data/model", "a"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("--root NAME=DIRECTORY"));
}

}  // namespace
}  // namespace trainyard::cli
