// coordinator/spec_tasks.cc

#include "tests/coordinator_service/spec_rules.h"

namespace trainyard::coordinator {
namespace {

// Without prompts: tasks alone are enough to measure.
constexpr char kTasks[] = R"(
name: eval
eval:
  models: [{name: a, model: root://data/a}]
  chat_template: {name: chatml}
  tasks:
    - {name: say, kind: exact_match, items: [{file: root://data/say.jsonl}], prompt: "{q}",
       target: "{a}"}
    - {name: pick, kind: multiple_choice, items: [{file: root://data/pick.jsonl}], prompt: "{q}",
       target: "{a}"}
)";

TEST(SpecTasksTest, TasksAreEnoughToMeasure) {
  EXPECT_THAT(Lines(ValidateJob(Job(kTasks, {}))), ::testing::IsEmpty());
  EXPECT_THAT(Lines(ValidateJob(
                  Job(kTasks, {"eval.tasks.say.chat=true", "eval.tasks.say.shots=2",
                               "eval.tasks.say.reasoning=so", "eval.tasks.say.answer_pattern=(x)",
                               "eval.tasks.say.prompt='{{\"q\": {q}'"}))),
              ::testing::IsEmpty());
}

TEST(SpecTasksTest, RulesOfTasks) {
  ExpectHeld({
      {kTasks, {"eval.tasks.say.kind=guess"}, "must be one of exact_match, multiple_choice"},
      {kTasks, {"eval.tasks.say.items=[]"}, "eval.tasks[0].items is empty"},
      {kTasks, {"eval.tasks.say.items[0].format=lines"}, "items[0].format is lines, must be jsonl"},
      {kTasks, {"eval.tasks.say.items[0].weight=2"}, "items[0].weight is not for tasks"},
      {kTasks, {"eval.tasks.say.items[0].token_budget=2"}, "token_budget is not for tasks"},
      {kTasks, {"eval.tasks.say.target=''"}, "eval.tasks[0].target is missing"},
      {kTasks, {"eval.tasks.say.prompt=''"}, "eval.tasks[0].prompt is missing"},
      {kTasks, {"eval.tasks.say.prompt=a {q"}, "eval.tasks[0].prompt has a { without }"},
      {kTasks, {"eval.tasks.say.limit=-1"}, "eval.tasks[0].limit is -1"},
      {kTasks, {"eval.tasks.say.shots=-1"}, "eval.tasks[0].shots is -1"},
      {kTasks, {"eval.tasks.say.max_new_tokens=-1"}, "eval.tasks[0].max_new_tokens is -1"},
      {kTasks, {"eval.tasks.say.stop=['']"}, "eval.tasks[0].stop[0] is empty"},
      {kTasks, {"eval.tasks.say.choices=c"}, "choices is only for multiple_choice"},
      {kTasks, {"eval.tasks.say.reasoning=so"}, "reasoning is given, but shots is 0"},
      {kTasks, {"eval.tasks.say.shots_seed=1"}, "shots_seed is given, but shots is 0"},
      {kTasks,
       {"eval.tasks.say.examples=[{file: root://data/x.jsonl}]"},
       "examples is given, but shots is 0"},
      {kTasks, {"eval.tasks.pick.answer_pattern=(x)"}, "answer_pattern is only for exact_match"},
      {kTasks, {"eval.tasks.pick.ignore_case=true"}, "ignore_case is only for exact_match"},
      {kTasks, {"eval.tasks.pick.ignore_punctuation=true"}, "ignore_punctuation is only for"},
      {kTasks, {"eval.tasks.pick.max_new_tokens=8"}, "max_new_tokens is only for exact_match"},
      {kTasks, {"eval.tasks.pick.stop=[x]"}, "stop is only for exact_match"},
      {kTasks,
       {"eval.chat_template.name=''", "eval.tasks.say.chat=true"},
       "eval.tasks[0].chat is set, but eval.chat_template is missing"},
      {kTasks,
       {"eval.tasks.say.name=pick_norm"},
       "eval.tasks[1].name gives the metric \"pick_norm\", which another task or metric has"},
      {kTasks, {"eval.tasks.say.name=bits_per_byte"}, "gives the metric \"bits_per_byte\""},
      {kTasks,
       {"eval.metrics=[{name: say, kind: distinct_2}]"},
       "eval.tasks[0].name gives the metric \"say\""},
  });
}

}  // namespace
}  // namespace trainyard::coordinator
