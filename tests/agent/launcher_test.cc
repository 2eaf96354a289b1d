#include "agent/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/atomic_file.h"
#include "task/assignment.h"
#include "tests/support/process.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::agent {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class LauncherTest : public ::testing::Test {
 protected:
  LauncherTest() {
    config_.node = "node-a";
    config_.coordinator = "10.0.0.1:7433";
    config_.advertise = "10.0.0.2";
    config_.work_dir = dir_.File("work");
    config_.roots = {{"runs", "/mnt/runs"}};
    config_.collective_env = {{"NCCL_DEBUG", "INFO"}};
  }

  static DesiredTask Task(const std::string& binary) {
    v1::TaskAssignment assignment;
    assignment.set_job_id("job-a");
    assignment.set_epoch(1);
    assignment.set_attempt(2);
    assignment.set_task_uid(42);
    assignment.set_secret("secret");
    assignment.set_role("rollout");
    assignment.set_index(3);
    return {.task_uid = 42,
            .binary = binary,
            .assignment = assignment.SerializeAsString(),
            .gpus = {"GPU-1"}};
  }

  testing::TempDir dir_;
  AgentConfig config_;
};

TEST_F(LauncherTest, TellsTheTaskWhatOnlyThisMachineKnows) {
  Launcher launcher(config_, "/opt/bin");
  ASSERT_TRUE(launcher.TakeWorkDirectory().ok());
  const auto launch = launcher.Prepare(Task("trainyard-rollout"));
  ASSERT_TRUE(launch.ok()) << launch.status();
  EXPECT_EQ(launch->process.binary, "/opt/bin/trainyard-rollout");
  EXPECT_THAT(launch->process.environment, Contains("CUDA_VISIBLE_DEVICES=GPU-1"));
  EXPECT_THAT(launch->process.environment, Contains("NCCL_DEBUG=INFO"));
  EXPECT_EQ(launch->log.task, "rollout/3");
  EXPECT_EQ(launch->log.attempt, 2);
  ASSERT_EQ(launch->process.args.size(), 2);
  const auto assignment = task::LoadAssignment(launch->process.args[1]);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  EXPECT_EQ(assignment->coordinator, "10.0.0.1:7433");
  EXPECT_EQ(assignment->advertise, "10.0.0.2");
  EXPECT_EQ(assignment->node, "node-a");
  EXPECT_EQ(assignment->roots.directories().at("runs"), "/mnt/runs");
  EXPECT_TRUE(fs::is_directory(assignment->scratch_dir));
}

TEST_F(LauncherTest, OnlyItsUserCanReadTheSecret) {
  Launcher launcher(config_, "/opt/bin");
  ASSERT_TRUE(launcher.TakeWorkDirectory().ok());
  const auto launch = launcher.Prepare(Task("trainyard-worker"));
  ASSERT_TRUE(launch.ok()) << launch.status();
  struct stat status = {};
  ASSERT_EQ(stat(launch->process.args[1].c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600);
}

TEST_F(LauncherTest, StartsNothingThatIsNotOnTheList) {
  Launcher launcher(config_, "/opt/bin");
  ASSERT_TRUE(launcher.TakeWorkDirectory().ok());
  for (const char* binary : {"sh", "/bin/sh", "../bin/sh", "trainyard-agent", ""}) {
    const auto refused = launcher.Prepare(Task(binary));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << binary;
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("trainyard-worker"));
  }
}

TEST_F(LauncherTest, TheWorkDirectoryHasOneOwnerWhoCleansIt) {
  ASSERT_TRUE(MakeDirectories(dir_.File("work/tasks/7")).ok());
  auto first = std::make_unique<Launcher>(config_, "/opt/bin");
  ASSERT_TRUE(first->TakeWorkDirectory().ok());
  EXPECT_FALSE(fs::exists(dir_.File("work/tasks/7")));
  Launcher second(config_, "/opt/bin");
  EXPECT_EQ(second.TakeWorkDirectory().status().code(),
            absl::StatusCode::kFailedPrecondition);
  first.reset();
  EXPECT_TRUE(second.TakeWorkDirectory().ok());
}

TEST_F(LauncherTest, WhatTasksOfAKilledAgentPrintedIsKeptUntilItIsShipped) {
  std::string output;
  {
    Launcher killed(config_, "/opt/bin");
    ASSERT_TRUE(killed.TakeWorkDirectory().ok());
    const auto launch = killed.Prepare(Task("trainyard-worker"));
    ASSERT_TRUE(launch.ok()) << launch.status();
    output = launch->process.output_file;
    ASSERT_TRUE(WriteFileAtomically(output, "last words\n").ok());
    ASSERT_TRUE(MakeDirectories(dir_.File("work/tasks/43")).ok());
    ASSERT_TRUE(WriteFileAtomically(dir_.File("work/tasks/43/output"), "whose?\n").ok());
  }
  Launcher next(config_, "/opt/bin");
  const auto left = next.TakeWorkDirectory();
  ASSERT_TRUE(left.ok()) << left.status();
  ASSERT_EQ(left->size(), 1);
  EXPECT_EQ((*left)[0].task_uid, 42);
  EXPECT_EQ((*left)[0].job_id, "job-a");
  EXPECT_EQ((*left)[0].attempt, 2);
  EXPECT_EQ((*left)[0].task, "rollout/3");
  EXPECT_EQ((*left)[0].path, output);
  EXPECT_TRUE((*left)[0].of_earlier_agent);
  EXPECT_FALSE(fs::exists(dir_.File("work/tasks/42/scratch")));
  EXPECT_FALSE(fs::exists(dir_.File("work/tasks/43"))) << "nobody knows whose output it is";
  next.Remove(42);
  EXPECT_FALSE(fs::exists(dir_.File("work/tasks/42")));
}

TEST_F(LauncherTest, FindsTheLastLineThatSaysSomething) {
  Launcher launcher(config_, "/opt/bin");
  ASSERT_TRUE(launcher.TakeWorkDirectory().ok());
  EXPECT_EQ(launcher.LastLine(42), "");
  const auto launch = launcher.Prepare(Task("trainyard-worker"));
  ASSERT_TRUE(launch.ok()) << launch.status();
  ASSERT_TRUE(WriteFileAtomically(launch->process.output_file, "first\nlast words\n\n  \n").ok());
  EXPECT_EQ(launcher.LastLine(42), "last words");
  launcher.Remove(42);
  EXPECT_FALSE(fs::exists(dir_.File("work/tasks/42")));
}

TEST_F(LauncherTest, TheLastLineHasNoneOfTheZerosThatShippedBytesLeaveBehind) {
  Launcher launcher(config_, "/opt/bin");
  ASSERT_TRUE(launcher.TakeWorkDirectory().ok());
  const auto launch = launcher.Prepare(Task("trainyard-worker"));
  ASSERT_TRUE(launch.ok()) << launch.status();
  const std::string shipped(1000, '\0');
  ASSERT_TRUE(WriteFileAtomically(launch->process.output_file, shipped + "last words\n").ok());
  EXPECT_EQ(launcher.LastLine(42), "last words");
  ASSERT_TRUE(WriteFileAtomically(launch->process.output_file, shipped).ok());
  EXPECT_EQ(launcher.LastLine(42), "");
}

}  // namespace
}  // namespace trainyard::agent
