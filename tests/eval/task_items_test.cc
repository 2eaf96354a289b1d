#include "eval/task_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TaskItemsTest : public EvalTest {
 protected:
  TaskItemsTest() {
    task_.name = "capitals";
    task_.prompt = "Q: {question}\nA:";
    task_.target = "{answer}";
    task_.items = Rows("items.jsonl",
                       "{\"question\": \"France\", \"answer\": \"Paris\"}\n"
                       "\n"
                       "{\"question\": \"Italy\", \"answer\": \"Rome\"}\n"
                       "{\"question\": \"France\", \"answer\": \"Paris\"}\n"
                       "{\"question\": \"Spain\", \"answer\": \"Madrid\"}\n");
  }
  std::vector<data::SourceSpec> Rows(const std::string& name, const std::string& text) const {
    data::SourceSpec source;
    source.name = name;
    source.paths = {Write(name, text)};
    return {source};
  }
  // Four items whose answers are among their choices.
  void AskToChoose(const std::string& target) {
    task_.kind = TaskKind::kMultipleChoice;
    task_.target = target;
    task_.items = Rows("choices.jsonl",
                       "{\"question\": \"2+2\", \"choices\": [\"3\", \"4\"], \"right\": 1, "
                       "\"says\": \"4\"}\n"
                       "{\"question\": \"sky\", \"choices\": [\"blue\", \"red\"], \"right\": 0, "
                       "\"says\": \"blue\"}\n");
  }
  std::vector<std::string> Contexts() const {
    const auto items = LoadTaskItems(task_);
    EXPECT_TRUE(items.ok()) << items.status();
    std::vector<std::string> contexts;
    if (items.ok()) {
      for (const TaskItem& item : *items) contexts.push_back(item.context);
    }
    return contexts;
  }
  std::string Error() const { return std::string(LoadTaskItems(task_).status().message()); }
  TaskJob task_;
};

TEST_F(TaskItemsTest, EachRowIsAPromptWithItsAnswerBesideIt) {
  task_.limit = 2;
  task_.description = "Capitals.\n\n";
  const auto items = LoadTaskItems(task_);
  ASSERT_TRUE(items.ok()) << items.status();
  ASSERT_EQ(items->size(), 2u);
  EXPECT_EQ((*items)[1].context, "Capitals.\n\nQ: Italy\nA:");
  EXPECT_EQ((*items)[1].target, "Rome");
  EXPECT_EQ((*items)[1].row, 1);
  EXPECT_THAT((*items)[1].place, HasSubstr("items.jsonl:3"));
}

TEST_F(TaskItemsTest, TheFirstOtherRowsAreTheWorkedExamplesButForCopiesOfTheItem) {
  task_.shots = 1;
  EXPECT_THAT(
      Contexts(),
      ElementsAre("Q: Italy\nA: Rome\n\nQ: France\nA:", "Q: France\nA: Paris\n\nQ: Italy\nA:",
                  "Q: Italy\nA: Rome\n\nQ: France\nA:", "Q: France\nA: Paris\n\nQ: Spain\nA:"));
}

TEST_F(TaskItemsTest, GivenExamplesAndDelimitersAreTaken) {
  task_.shots = 2;
  task_.limit = 1;
  task_.target_delimiter = " => ";
  task_.example_delimiter = "\n###\n";
  task_.examples = Rows("examples.jsonl",
                        "{\"question\": \"France\", \"answer\": \"Paris\"}\n"
                        "{\"question\": \"Peru\", \"answer\": \"Lima\"}\n");
  EXPECT_THAT(Contexts(), ElementsAre("Q: France\nA: => Paris\n###\nQ: Peru\nA: => Lima\n###\n"
                                      "Q: France\nA:"));
}

TEST_F(TaskItemsTest, AChainOfThoughtStandsBeforeTheTargetOfExamples) {
  task_.shots = 1;
  task_.limit = 1;
  task_.reasoning = "It is {question}. The answer is";
  EXPECT_THAT(Contexts(),
              ElementsAre("Q: Italy\nA: It is Italy. The answer is Rome\n\nQ: France\nA:"));
  task_.reasoning = "It is {question}:\n";
  EXPECT_THAT(Contexts(), ElementsAre("Q: Italy\nA: It is Italy:\nRome\n\nQ: France\nA:"));
}

TEST_F(TaskItemsTest, ExamplesAreDrawnAnewForEachItemAndTheSameForTheSameSeed) {
  std::string rows;
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(&rows, "{\"question\": \"q", i, "\", \"answer\": \"a", i, "\"}\n");
  }
  task_.items = Rows("many.jsonl", rows);
  task_.shots = 1;
  task_.shots_seed = 1;
  const auto drawn = Contexts();
  EXPECT_EQ(Contexts(), drawn);
  std::set<std::string> examples;
  for (size_t i = 0; i < drawn.size(); ++i) {
    EXPECT_THAT(drawn[i].substr(0, drawn[i].find("\n\n")),
                ::testing::Not(HasSubstr(absl::StrCat("q", i, "\n"))));
    examples.insert(drawn[i].substr(0, drawn[i].find("\n\n")));
  }
  EXPECT_GT(examples.size(), 10u);
  task_.shots_seed = 2;
  EXPECT_NE(Contexts(), drawn);
}

TEST_F(TaskItemsTest, TheRightChoiceIsANumberOrAText) {
  AskToChoose("{right}");
  task_.shots = 1;
  auto items = LoadTaskItems(task_);
  ASSERT_TRUE(items.ok()) << items.status();
  EXPECT_THAT((*items)[0].choices, ElementsAre("3", "4"));
  EXPECT_EQ((*items)[0].right, 1u);
  EXPECT_EQ((*items)[0].context, "Q: sky\nA: blue\n\nQ: 2+2\nA:");
  EXPECT_EQ((*items)[1].context, "Q: 2+2\nA: 4\n\nQ: sky\nA:");
  task_.shots = 0;
  task_.items = Rows("texts.jsonl",
                     "{\"question\": \"sky\", \"choices\": [\"red\", \"blue\"], \"right\": 0, "
                     "\"says\": \"blue\"}\n");
  task_.target = "{says}";
  items = LoadTaskItems(task_);
  ASSERT_TRUE(items.ok()) << items.status();
  EXPECT_EQ((*items)[0].right, 1u);
}

TEST_F(TaskItemsTest, UnderAChatTemplateTheDescriptionIsTheSystems) {
  task_.chat = true;
  task_.limit = 1;
  task_.description = "Be brief.";
  const auto items = LoadTaskItems(task_);
  ASSERT_TRUE(items.ok()) << items.status();
  EXPECT_EQ((*items)[0].system, "Be brief.");
  EXPECT_EQ((*items)[0].context, "Q: France\nA:");
}

TEST_F(TaskItemsTest, FieldsReachIntoObjectsAndLists) {
  const Json row = {{"a", {{"b", {"x", 7}}}}, {"yes", true}, {"n", 1.5}, {"d.ot", "dot"}};
  EXPECT_EQ(FillFields("{a.b[0]}-{a.b[1]}-{yes}-{n}-{d.ot}-{{x}", row).value_or("none"),
            "x-7-True-1.5-dot-{x}");
  EXPECT_THAT(std::string(FillFields("{a.c}", row).status().message()),
              HasSubstr("field \"a.c\" is missing (fields seen: a, d.ot, n, yes)"));
  EXPECT_FALSE(FillFields("{a.b[2]}", row).ok());
  EXPECT_THAT(std::string(FillFields("{a}", row).status().message()),
              HasSubstr("must be a text or a number, is object"));
  EXPECT_THAT(std::string(FillFields("x {a", row).status().message()),
              HasSubstr("has a { without }"));
}

TEST_F(TaskItemsTest, WhatIsWrongIsNamedWithTaskFileLineAndField) {
  task_.prompt = "{topic}";
  EXPECT_THAT(Error(), HasSubstr("items.jsonl:1: field \"topic\" is missing (fields seen: answer, "
                                 "question)"));
  EXPECT_THAT(Error(), HasSubstr("task \"capitals\": "));
  task_.prompt = "Q";
  task_.shots = 4;
  EXPECT_THAT(Error(), HasSubstr("shots is 4, but there are 2 other items"));
  task_.shots = 0;
  task_.target = "{empty}";
  task_.items = Rows("empty.jsonl", "{\"empty\": \"\"}\n");
  EXPECT_THAT(Error(), HasSubstr("the target is empty"));
  task_.items = Rows("none.jsonl", "\n");
  EXPECT_THAT(Error(), HasSubstr("there is no item"));
  task_.items = Rows("list.jsonl", "[1]\n");
  EXPECT_THAT(Error(), HasSubstr("list.jsonl:1: is no object"));
}

TEST_F(TaskItemsTest, AChoiceThatCanNotBeRightIsRefused) {
  AskToChoose("{right}");
  for (const char* row : {"{\"question\": \"x\", \"choices\": [\"a\", \"b\"], \"right\": 2}",
                          "{\"question\": \"x\", \"choices\": [\"a\", \"b\"], \"right\": \"c\"}"}) {
    task_.items = Rows("wrong.jsonl", row);
    EXPECT_THAT(Error(), HasSubstr("is neither one of the 2 choices nor the number of one"));
  }
  task_.items = Rows("one.jsonl", "{\"question\": \"x\", \"choices\": [\"a\"], \"right\": 0}");
  EXPECT_THAT(Error(), HasSubstr("must be a list of two choices or more"));
  task_.items =
      Rows("nil.jsonl", "{\"question\": \"x\", \"choices\": [\"a\", \"\"], \"right\": 0}");
  EXPECT_THAT(Error(), HasSubstr("has an empty choice"));
}

TEST_F(TaskItemsTest, OnlyRowsOfTheGroupsNamedAreItems) {
  task_.items = Rows("groups.jsonl",
                     "{\"question\": \"a\", \"answer\": \"b\", \"group\": \"g\"}\n"
                     "{\"question\": \"c\", \"answer\": \"d\", \"group\": \"h\"}\n");
  task_.items[0].groups = {"h"};
  EXPECT_THAT(Contexts(), ElementsAre("Q: c\nA:"));
}

}  // namespace
}  // namespace trainyard::eval
