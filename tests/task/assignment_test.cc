#include "task/assignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/support/process.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::task {
namespace {

using ::testing::HasSubstr;

v1::TaskAssignment Complete() {
  v1::TaskAssignment wire;
  wire.set_job_id("job-a");
  wire.set_epoch(3);
  wire.set_attempt(2);
  wire.set_task_uid(42);
  wire.set_secret("secret");
  wire.set_role("rollout");
  wire.set_index(1);
  wire.mutable_spec()->set_name("name");
  (*wire.mutable_artifacts())["sft/model"].set_uri("root://runs/sft/model");
  v1::Checkpoint* checkpoint = wire.add_restore();
  checkpoint->set_step(10);
  checkpoint->set_metric(0.5);
  (*wire.mutable_root_paths())["runs"] = "/mnt/runs";
  wire.set_coordinator("host:1");
  return wire;
}

TEST(Assignment, IsReadFromTheAgentsFile) {
  testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("a"), Complete().SerializeAsString()).ok());
  const auto assignment = LoadAssignment(dir.File("a"));
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  EXPECT_EQ(assignment->TaskName(), "rollout/1");
  EXPECT_EQ(assignment->attempt, 2);
  EXPECT_EQ(assignment->Fence().epoch, 3);
  EXPECT_EQ(assignment->artifacts.at("sft/model").uri, "root://runs/sft/model");
  ASSERT_EQ(assignment->restore.size(), 1);
  EXPECT_EQ(assignment->restore[0].metric, 0.5);
  EXPECT_EQ(assignment->roots.directories().at("runs"), "/mnt/runs");
  v1::JobSpec spec;
  ASSERT_TRUE(spec.ParseFromString(assignment->job_spec));
  EXPECT_EQ(spec.name(), "name");
}

TEST(Assignment, ATaskListensWhereItIsAdvertised) {
  Assignment assignment;
  EXPECT_EQ(assignment.ListenAddress(), "127.0.0.1:0");
  assignment.advertise = "10.0.0.2";
  assignment.task_ports = "7500-7599";
  EXPECT_EQ(assignment.ListenAddress(), "0.0.0.0:7500-7599");
}

TEST(Assignment, WhatIsMissingIsNamed) {
  v1::TaskAssignment wire = Complete();
  wire.clear_secret();
  EXPECT_THAT(std::string(ParseAssignment(wire.SerializeAsString()).status().message()),
              HasSubstr("secret"));
  EXPECT_EQ(ParseAssignment("\xff\xff").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadAssignment("/no/such/file").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace trainyard::task
