#include "eval/task_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The fake rollout gives -0.25 for each token (a byte), so the shortest choice is the likeliest,
// and the longest is when each character counts: the delimiter weighs less in it. It answers with
// its word once, twice or three times, by row.
class TaskRunTest : public EvalTest {
 protected:
  TaskRunTest() : one_(*tokenizer_, "good"), other_(*tokenizer_, "bad") {
    Serve("rollout", 0, &one_);
    Serve("rollout", 1, &other_);
    job_.models = {Model("a", true), Model("b", false)};
    text_ = *LoadModelText(directory_ + "/model", directory_ + "/model");
    texts_ = {text_, text_};
    TaskJob choose;
    choose.name = "choose";
    choose.kind = TaskKind::kMultipleChoice;
    choose.prompt = "{q}:";
    choose.target = "{right}";
    choose.items = Rows("choose.jsonl",
                        "{\"q\": \"x\", \"choices\": [\"abcd\", \"ab\"], \"right\": 1}\n"
                        "{\"q\": \"y\", \"choices\": [\"abcd\", \"ab\"], \"right\": 0}\n"
                        "{\"q\": \"z\", \"choices\": [\"\xE3\x80\x82\", \"ab\"], \"right\": 0}\n");
    TaskJob say;
    say.name = "say";
    say.prompt = "Say {q}";
    say.target = "{q}";
    say.max_new_tokens = 32;
    say.items = Rows("say.jsonl", "{\"q\": \"good\"}\n{\"q\": \"bad bad\"}\n{\"q\": \"x\"}\n");
    job_.tasks = {choose, say};
  }
  std::vector<data::SourceSpec> Rows(const std::string& name, const std::string& text) const {
    data::SourceSpec source;
    source.name = name;
    source.paths = {Write(name, text)};
    return {source};
  }
  absl::StatusOr<std::unique_ptr<TaskRun>> Load(uint64_t epoch) {
    assignment_ = Assignment(epoch);
    place_ = *PlaceOf(assignment_);
    return TaskRun::Load({job_, texts_, assignment_, place_, &session_, [this](int model) {
                            return std::make_unique<RolloutClient>(
                                session_.Peers().Ready("rollout")[model].endpoint, kTestFence);
                          }});
  }
  FakeRollout one_, other_;
  EvalJob job_;
  ModelText text_;
  std::vector<ModelText> texts_;
  task::Assignment assignment_;
  RunPlace place_;
};

TEST_F(TaskRunTest, EachTaskIsAMetricOfEachModelWithAPartForEachItem) {
  auto run = Load(1);
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE((*run)->Run().ok());
  std::vector<MetricOfModels> metrics;
  (*run)->AddMetrics(&metrics);
  ASSERT_EQ(metrics.size(), 3u);
  EXPECT_EQ(metrics[0].name, "choose");
  EXPECT_EQ(metrics[1].name, "choose_norm");
  EXPECT_EQ(metrics[2].name, "say");
  // -5/4 against -3/4: the short one; by character -0.3125 against -0.375: the long one. The
  // character of three bytes is one character: -4/4 a character against -3/8.
  EXPECT_THAT(metrics[0].by_model["a"].numerators, ElementsAre(1, 0, 0));
  EXPECT_THAT(metrics[1].by_model["a"].numerators, ElementsAre(0, 1, 0));
  EXPECT_THAT(metrics[2].by_model["a"].numerators, ElementsAre(1, 0, 0));
  EXPECT_THAT(metrics[2].by_model["b"].numerators, ElementsAre(0, 1, 0));
  EXPECT_THAT(metrics[2].by_model["b"].denominators, ElementsAre(1, 1, 1));
}

TEST_F(TaskRunTest, WhatEachModelPickedIsWritten) {
  auto run = *Load(1);
  ASSERT_TRUE(run->Run().ok());
  std::vector<Json> rows;
  for (absl::string_view line : absl::StrSplit(run->Picks(), '\n', absl::SkipEmpty())) {
    rows.push_back(*ParseJson(line, "tasks.jsonl"));
  }
  ASSERT_EQ(rows.size(), 12u);
  EXPECT_EQ(rows[1], (Json{{"task", "choose"},
                           {"item", 0},
                           {"model", "b"},
                           {"pick", 1},
                           {"pick_norm", 0},
                           {"right", 1},
                           {"correct", true},
                           {"correct_norm", false},
                           {"loglikelihoods", {-1.25, -0.75}}}));
  EXPECT_EQ(rows[9], (Json{{"task", "say"},
                           {"item", 1},
                           {"model", "b"},
                           {"answer", "bad bad"},
                           {"target", "bad bad"},
                           {"correct", true},
                           {"text", " bad bad"}}));
  EXPECT_EQ(run->Summary()[0],
            (Json{{"name", "choose"}, {"kind", "multiple_choice"}, {"items", 3}, {"shots", 0}}));
}

TEST_F(TaskRunTest, WhatAShareHidesIsTold) {
  job_.tasks[1].answer_pattern = "bad (bad)";
  job_.tasks[0].prompt = std::string(60, 'x') + "{q}:";
  auto run = *Load(1);
  ASSERT_TRUE(run->Run().ok());
  std::vector<MetricOfModels> metrics;
  run->AddMetrics(&metrics);
  EXPECT_EQ(metrics[0].by_model["a"].detail, "3 of 3 prompts lost their front to the context");
  EXPECT_EQ(metrics[2].by_model["a"].detail, "3 of 3 answers lack the answer_pattern");
  EXPECT_EQ(metrics[2].by_model["b"].detail, "1 of 3 answers lack the answer_pattern");
}

TEST_F(TaskRunTest, AnAttemptAfterACrashDrawsNoAnswerAgain) {
  auto run = *Load(1);
  ASSERT_TRUE(run->Run().ok());
  const std::string picks = run->Picks();
  one_.answers_given = other_.answers_given = 0;
  auto again = *Load(2);
  ASSERT_TRUE(again->Run().ok());
  EXPECT_EQ(again->Picks(), picks);
  EXPECT_EQ(one_.answers_given + other_.answers_given, 0);
  job_.tasks[1].stop = {"\n"};
  auto changed = *Load(3);
  EXPECT_EQ(changed->Run().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TaskRunTest, AnItemThatCanNotBeScoredIsAnErrorAndNotAWrongAnswer) {
  one_.failure = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "too long");
  one_.answers_left = 1;
  auto run = *Load(1);
  const absl::Status status = run->Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("task \"say\", model \"a\": too long"));
}

TEST_F(TaskRunTest, WhatIsWrongWithATaskIsFoundBeforeATokenIsDrawn) {
  job_.tasks[1].answer_pattern = "(";
  EXPECT_THAT(std::string(Load(1).status().message()),
              HasSubstr("task \"say\": answer_pattern \"(\" is wrong"));
  job_.tasks[1].answer_pattern.clear();
  job_.tasks[1].max_new_tokens = 256;
  EXPECT_THAT(std::string(Load(2).status().message()),
              HasSubstr("max_new_tokens is 256, the model's context 64 tokens"));
  job_.tasks[1].max_new_tokens = 32;
  job_.tasks[0].target = "{wrong}";
  EXPECT_THAT(std::string(Load(3).status().message()), HasSubstr("field \"wrong\" is missing"));
}

}  // namespace
}  // namespace trainyard::eval
