#include "eval/task_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

std::string Extract(const TaskJob& task, const std::string& text) {
  const auto rule = AnswerRule::Create(task);
  if (!rule.ok()) return std::string(rule.status().message());
  const auto answer = rule->Extract(text);
  if (!answer.ok()) return std::string(answer.status().message());
  return answer->value_or("no answer");
}

TEST(TaskAnswerTest, AllBeforeTheFirstStopStringCounts) {
  TaskJob task;
  EXPECT_EQ(Extract(task, " Paris \n\nQ: Italy"), "Paris");
  task.stop = {"Q:", "\n"};
  EXPECT_EQ(Extract(task, " Paris\n\nQ: Italy"), "Paris");
  EXPECT_EQ(Extract(task, " a Q: b\n"), "a");
  task.stop.clear();
  task.example_delimiter.clear();
  EXPECT_EQ(Extract(task, " a\n\nb\xE3\x80\x80"), "a\n\nb");
}

TEST(TaskAnswerTest, TheFirstGroupOfTheFirstMatchCounts) {
  TaskJob task;
  task.answer_pattern = "answer is (-?[0-9.]+)";
  EXPECT_EQ(Extract(task, "2 and 3: the answer is 5, the answer is 6"), "5");
  EXPECT_EQ(Extract(task, "five"), "no answer");
  EXPECT_EQ(Extract(task, "well\n\nthe answer is 5"), "no answer") << "behind the stop string";
  task.answer_pattern = "[0-9]+ ";
  EXPECT_EQ(Extract(task, "it is 12 or 13 "), "12");
  task.answer_pattern = "#### ([0-9]+)|= ([0-9]+)";
  EXPECT_EQ(Extract(task, "1+1 = 2"), "2");
  task.answer_pattern = "(x*)-(y*)";
  EXPECT_EQ(Extract(task, "a-b"), "no answer") << "no group holds anything";
  task.answer_pattern = "\\w+$";
  EXPECT_EQ(Extract(task, "ein großes Café"), "Café");
}

TEST(TaskAnswerTest, APatternThatIsWrongIsShown) {
  TaskJob task;
  task.answer_pattern = "(a";
  EXPECT_THAT(Extract(task, "a"), HasSubstr("answer_pattern \"(a\" is wrong at byte 2"));
  task.answer_pattern = "(a+)+b|(a+)+c";
  EXPECT_THAT(Extract(task, std::string(60, 'a')), HasSubstr("match limit exceeded"));
}

TEST(TaskAnswerTest, CaseAndPunctuationCountUnlessTheTaskIgnoresThem) {
  TaskJob task;
  const auto is_right = [&task](const char* answer, const char* target) {
    return AnswerRule::Create(task)->IsRight(answer, target);
  };
  EXPECT_TRUE(is_right("Paris", " Paris\n"));
  EXPECT_FALSE(is_right("paris", "Paris"));
  EXPECT_FALSE(is_right("Paris.", "Paris"));
  task.ignore_case = true;
  EXPECT_TRUE(is_right("ÉTÉ", "été"));
  EXPECT_FALSE(is_right("paris!", "Paris"));
  task.ignore_punctuation = true;
  EXPECT_TRUE(is_right("\"pa-ris\"!", "Paris"));
  EXPECT_FALSE(is_right("paris\xE3\x80\x82", "Paris")) << "ASCII's alone";
}

}  // namespace
}  // namespace trainyard::eval
