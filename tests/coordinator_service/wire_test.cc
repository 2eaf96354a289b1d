#include "coordinator/wire.h"

#include <gtest/gtest.h>

namespace trainyard::coordinator {
namespace {

TEST(WireTest, EnumsOfTheCoreAreThoseOfTheWire) {
  EXPECT_EQ(static_cast<int>(JobState::kCancelled), v1::CANCELLED);
  EXPECT_EQ(static_cast<int>(JobState::kBlocked), v1::BLOCKED);
  EXPECT_EQ(static_cast<int>(AttemptState::kEnded), v1::ENDED);
  EXPECT_EQ(static_cast<int>(TaskState::kLost), v1::TASK_LOST);
  EXPECT_EQ(static_cast<int>(DesiredState::kCancel), v1::CANCEL);
  EXPECT_EQ(static_cast<int>(EndClass::kDeadline), v1::END_DEADLINE);
}

TEST(WireTest, EndReasonsSurviveTheWayThereAndBack) {
  EndReason end;
  end.end_class = EndClass::kOutOfMemory;
  end.message = "m";
  end.step = 3;
  end.phase = "train";
  end.task = "trainer/1 on a";
  end.exit_code = 4;
  end.signal = 9;
  end.peak_rss_bytes = 5;
  EXPECT_EQ(FromWire(ToWire(end)), end);
}

TEST(WireTest, AnAssignmentCarriesSpecInputsAndCheckpoints) {
  v1::JobSpec spec;
  spec.set_name("x");
  spec.mutable_fake()->set_steps(7);
  Assignment assignment;
  assignment.job_id = "job-x";
  assignment.kind = "fake";
  assignment.role = "trainer";
  assignment.role_count = 2;
  assignment.epoch = 3;
  assignment.secret = "s";
  assignment.spec = std::make_shared<std::string>(spec.SerializeAsString());
  assignment.inputs["sft/model"].uri = "root://runs/m";
  assignment.restore.resize(1);
  assignment.restore[0].step = 40;
  DesiredSet set;
  set.tasks.push_back({.task_uid = 9, .assignment = assignment});
  const v1::CoordinatorToAgent message = ToAgent(set);
  ASSERT_EQ(message.desired().tasks_size(), 1);
  EXPECT_TRUE(message.desired().full());
  EXPECT_EQ(message.desired().tasks(0).binary(), "trainyard-fake-task");
  v1::TaskAssignment told;
  ASSERT_TRUE(told.ParseFromString(message.desired().tasks(0).assignment()));
  EXPECT_EQ(told.spec().fake().steps(), 7);
  EXPECT_EQ(told.artifacts().at("sft/model").uri(), "root://runs/m");
  EXPECT_EQ(told.restore(0).step(), 40);
  EXPECT_EQ(told.epoch(), 3u);
}

TEST(WireTest, AnOrderForTheOtherKindOfSessionIsAnEmptyMessage) {
  EXPECT_EQ(ToAgent(EndAck{}).message_case(), v1::CoordinatorToAgent::MESSAGE_NOT_SET);
  EXPECT_EQ(ToTask(ExitAcks{}).message_case(), v1::CoordinatorToTask::MESSAGE_NOT_SET);
}

TEST(WireTest, AnEmptyMessageIsATick) {
  EXPECT_TRUE(std::holds_alternative<Tick>(FromAgent(v1::AgentMessage(), 1)));
  EXPECT_TRUE(std::holds_alternative<Tick>(FromTask(v1::TaskMessage(), 1)));
}

TEST(WireTest, ProgressOfAJobIsThatOfTheTaskThatSpeaksForIt) {
  JobView view;
  view.job.id = "a";
  view.attempt.emplace();
  view.tasks[1].role = "rollout";
  view.tasks[2].role = "controller";
  view.progress[1].step = 100;
  view.progress[2].step = 3;
  view.speaker = 2;
  const v1::Job job = ToWire(view);
  EXPECT_EQ(job.progress().step(), 3);
  EXPECT_EQ(job.current().tasks(0).progress().step(), 100);
}

}  // namespace
}  // namespace trainyard::coordinator
