#include "eval/generate_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

class GenerateRunTest : public EvalTest {
 protected:
  GenerateRunTest() : rollout_(*tokenizer_, "fine") {
    Serve("rollout", 0, &rollout_);
    job_.model = Model("model", false);
    job_.tokenizer_directory = job_.model.directory;
    job_.prompts = Prompts(2);
  }
  std::string Answers(uint64_t epoch) const {
    const auto text =
        ReadFile(absl::StrCat(directory_, "/runs/job/e", epoch, "/answers/answers.jsonl"));
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }
  FakeRollout rollout_;
  GenerateJob job_;
};

TEST_F(GenerateRunTest, WritesARowPerPromptInTheirOrder) {
  ASSERT_TRUE(RunGenerate(job_, Assignment(1), &session_).ok());
  ASSERT_EQ(session_.finished().size(), 1);
  EXPECT_EQ(session_.finished()[0].name, "answers");
  const std::vector<std::string> lines = absl::StrSplit(Answers(1), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 10);
  for (int row = 0; row < 10; ++row) {
    const Json json = *ParseJson(lines[row], "answers.jsonl");
    EXPECT_EQ(json["row"], row);
    EXPECT_EQ(json["prompt"], absl::StrCat("p", row));
    EXPECT_EQ(json["answers"].size(), 2);
  }
}

TEST_F(GenerateRunTest, AnAttemptAfterACrashWritesTheSameFileAsOneThatWasNeverDisturbed) {
  ASSERT_TRUE(RunGenerate(job_, Assignment(1), &session_).ok());
  const std::string undisturbed = Answers(1);
  job_.model.digest = "another";  // so that nothing of the first run counts
  task::Assignment assignment = Assignment(2);
  assignment.run_uri = "root://runs/second";
  rollout_.answers_left = 11;
  rollout_.failure = grpc::Status(grpc::StatusCode::INTERNAL, "crash");
  ASSERT_FALSE(RunGenerate(job_, assignment, &session_).ok());
  rollout_.answers_left = -1;
  rollout_.answers_given = 0;
  assignment.epoch = 3;
  ASSERT_TRUE(RunGenerate(job_, assignment, &session_).ok());
  EXPECT_EQ(*ReadFile(directory_ + "/runs/second/e3/answers/answers.jsonl"), undisturbed);
  EXPECT_EQ(rollout_.answers_given, 2 * 5);
}

}  // namespace
}  // namespace trainyard::eval
