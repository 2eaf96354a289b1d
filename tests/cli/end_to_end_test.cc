// The command line as users have it: `trainyard up` with real processes, then verb after verb.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/support/process.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Seconds(60);

struct Ran {
  int code = -1;
  std::string output;
};

class EndToEndTest : public ::testing::Test {
 protected:
  void SetUp() override { Up(); }

  void TearDown() override {
    up_->Signal(SIGINT);
    const auto end = up_->Wait(kLimit);
    ASSERT_TRUE(end.ok()) << end.status();
    EXPECT_EQ(end->exit_code, 0) << up_->Output();
    EXPECT_EQ(ProcessesIn(dir_.path()), "");
  }

  void Up() {
    auto up = testing::Process::Start(
        {.binary = "trainyard",
         .args = {"up", "--slots", "4", "--dir", dir_.File("cluster"), "--listen", "127.0.0.1:0"},
         .environment = {"XDG_STATE_HOME=" + dir_.File("state")}});
    ASSERT_TRUE(up.ok()) << up.status();
    up_ = *std::move(up);
    const absl::Status ready = up_->WaitForOutput("Ctrl-C stops everything", kLimit);
    ASSERT_TRUE(ready.ok()) << ready;
    for (absl::string_view line : absl::StrSplit(up_->Output(), '\n')) {
      if (absl::StartsWith(line, "coordinator ")) address_ = std::string(line.substr(12));
    }
  }

  Ran Run(std::vector<std::string> args) {
    args.insert(args.begin(), {"--coordinator", address_});
    auto process =
        testing::Process::Start({.binary = "trainyard",
                                 .args = args,
                                 .environment = {"XDG_STATE_HOME=" + dir_.File("state"),
                                                 "XDG_CONFIG_HOME=" + dir_.File("config")}});
    if (!process.ok()) return {-1, process.status().ToString()};
    const auto end = (*process)->Wait(kLimit);
    return {end.ok() ? end->exit_code : -1, (*process)->Output()};
  }

  Json Get(const std::string& name) {
    const Ran ran = Run({"get", name, "-o", "json"});
    const auto json = ParseJson(ran.output, "get");
    return json.ok() ? *json : Json(ran.output);
  }

  std::string Spec(const std::string& name, const std::string& text) {
    const std::string path = dir_.File(name + ".yaml");
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return path;
  }

  // Command lines of processes that name `text`, but for our own.
  static std::string ProcessesIn(const std::string& text) {
    std::string found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
      const auto line = ReadFile(entry.path().string() + "/cmdline");
      if (line.ok() && line->find(text) != std::string::npos) absl::StrAppend(&found, *line, "\n");
    }
    return found;
  }

  testing::TempDir dir_;
  std::unique_ptr<testing::Process> up_;
  std::string address_;
};

TEST_F(EndToEndTest, AFakeJobFromSubmitToExport) {
  const Ran submitted = Run({"submit", "examples/specs/fake.yaml", "--set", "fake.step_seconds=0",
                             "--set", "name=first"});
  EXPECT_EQ(submitted.code, 0) << submitted.output;
  EXPECT_THAT(submitted.output, HasSubstr("next: trainyard watch job-"));
  const Ran watched = Run({"watch", "first"});
  EXPECT_EQ(watched.code, 0) << watched.output;
  EXPECT_THAT(watched.output, HasSubstr("succeeded"));
  EXPECT_EQ(Run({"wait", "first", "--timeout", "30"}).code, 0);
  EXPECT_THAT(Run({"list", "--filter", "state=SUCCEEDED"}).output, HasSubstr("first"));
  EXPECT_THAT(Run({"describe", "first"}).output, HasSubstr("checkpoint.committed"));
  EXPECT_THAT(Run({"logs", "-f", "first"}).output, HasSubstr("trainer/0 | step 20 of 20"));
  EXPECT_THAT(Run({"artifacts", "first"}).output, HasSubstr("first/model"));
  EXPECT_THAT(Run({"events", "first"}).output, HasSubstr("job.submitted"));
  EXPECT_THAT(Run({"metrics", "first", "--points", "100"}).output, HasSubstr("loss"));
  const Ran exported = Run({"export", "first/model", dir_.File("out")});
  EXPECT_EQ(exported.code, 0) << exported.output;
  EXPECT_TRUE(std::filesystem::exists(dir_.File("out/manifest.json")));
  EXPECT_EQ(Run({"export", "first/nothing", dir_.File("out2")}).code, 4);
}

TEST_F(EndToEndTest, OutcomesAreExitCodes) {
  const std::string failing =
      Spec("failing", "name: failing\nfake: {steps: 5, fail_at_step: 2, fail_class: end_nan}\n");
  ASSERT_EQ(Run({"submit", failing}).code, 0);
  const Ran failed = Run({"wait", "failing"});
  EXPECT_EQ(failed.code, 10);
  EXPECT_THAT(failed.output, HasSubstr("nan"));
  const std::string slow = Spec("slow", "name: slow\nfake: {steps: 1000, step_seconds: 0.05}\n");
  ASSERT_EQ(Run({"submit", slow}).code, 0);
  EXPECT_EQ(Run({"wait", "slow", "--timeout", "0.5"}).code, 12);
  EXPECT_EQ(Run({"cancel", "slow", "--reason", "enough"}).code, 0);
  EXPECT_EQ(Run({"wait", "slow"}).code, 11);
  EXPECT_EQ(Run({"get", "nobody"}).code, 4);
}

TEST_F(EndToEndTest, PauseResumeAndRetryGoOnFromTheLastCheckpoint) {
  const std::string path =
      Spec("long", "name: long\nfake: {steps: 60, step_seconds: 0.05, checkpoint_every: 5}\n");
  ASSERT_EQ(Run({"submit", path}).code, 0);
  ASSERT_TRUE(testing::WaitUntil(kLimit, [&] { return Get("long").contains("checkpoints"); }));
  EXPECT_EQ(Run({"pause", "long"}).code, 0);
  ASSERT_TRUE(testing::WaitUntil(kLimit, [&] { return Get("long")["state"] == "paused"; }));
  EXPECT_EQ(Run({"resume", "long"}).code, 0);
  ASSERT_TRUE(testing::WaitUntil(kLimit, [&] { return Get("long")["state"] == "active"; }));
  EXPECT_EQ(Run({"cancel", "long"}).code, 0);
  EXPECT_EQ(Run({"wait", "long"}).code, 11);
  EXPECT_EQ(Run({"retry", "long"}).code, 0);
  EXPECT_EQ(Run({"wait", "long"}).code, 0);
  EXPECT_GT(Get("long")["current"].value("restored_step", 0), 0);
}

TEST_F(EndToEndTest, AnElasticRoleFollowsScale) {
  const std::string path =
      Spec("elastic",
           "name: elastic\nroles: [{name: trainer}, {name: rollout, count: 1}]\n"
           "fake: {steps: 100000, step_seconds: 0.05}\n");
  ASSERT_EQ(Run({"submit", path}).code, 0);
  const auto rollouts = [&](const std::string& state) {
    int count = 0;
    const Json job = Get("elastic");
    if (!job.contains("current") || !job["current"].contains("tasks")) return 0;
    for (const Json& task : job["current"]["tasks"]) {
      count += task.value("role", "") == "rollout" && task.value("state", "") == state;
    }
    return count;
  };
  const auto live = [&] { return rollouts("task_ready") + rollouts("task_running"); };
  EXPECT_TRUE(testing::WaitUntil(kLimit, [&] { return live() == 1; })) << Get("elastic").dump(1);
  EXPECT_EQ(Run({"scale", "elastic", "rollout=3"}).code, 0);
  EXPECT_TRUE(testing::WaitUntil(kLimit, [&] { return live() == 3; })) << Get("elastic").dump(1);
  EXPECT_EQ(Run({"scale", "elastic", "rollout=1"}).code, 0);
  EXPECT_TRUE(testing::WaitUntil(kLimit, [&] { return live() == 1; })) << Get("elastic").dump(1);
  EXPECT_EQ(Run({"scale", "elastic", "rollout"}).code, 2);
  EXPECT_EQ(Run({"cancel", "elastic"}).code, 0);
  EXPECT_EQ(Run({"wait", "elastic"}).code, 11);
}

TEST_F(EndToEndTest, APipelineRunsItsStagesInOrder) {
  const std::string path = Spec("line",
                                "name: line\nstages:\n- {name: a, fake: {steps: 3}}\n"
                                "- {name: b, fake: {steps: 3}, after: [a]}\n");
  const Ran submitted = Run({"submit", path, "--watch"});
  EXPECT_EQ(submitted.code, 0) << submitted.output;
  const Json pipeline = Get("line");
  ASSERT_EQ(pipeline["jobs"].size(), 2u) << pipeline.dump();
  EXPECT_EQ(pipeline["jobs"][1]["state"], "succeeded");
  EXPECT_GE(pipeline["jobs"][1]["started_at_us"].get<int64_t>(),
            pipeline["jobs"][0]["ended_at_us"].get<int64_t>());
}

TEST_F(EndToEndTest, WrongInputNamesFileLineAndWhatToDo) {
  const Ran typo = Run({"submit", Spec("typo", "name: x\nfake:\n  stps: 3\n")});
  EXPECT_EQ(typo.code, 2);
  EXPECT_THAT(typo.output, HasSubstr("typo.yaml:3: unknown field \"stps\" in fake"));
  const Ran invalid = Run({"submit", Spec("invalid", "name: X\nfake: {steps: 0}\n")});
  EXPECT_EQ(invalid.code, 2);
  EXPECT_THAT(invalid.output, HasSubstr("fake.steps: is 0, must be at least 1"));
  EXPECT_THAT(invalid.output, HasSubstr("what to do:"));
  const Ran dry = Run({"submit", "examples/specs/fake.yaml", "--dry-run"});
  EXPECT_EQ(dry.code, 0);
  EXPECT_THAT(dry.output, HasSubstr("max_attempts: 3"));
  EXPECT_THAT(Run({"list"}).output, HasSubstr("no jobs"));
  EXPECT_EQ(Run({"nonsense"}).code, 2);
}

TEST_F(EndToEndTest, MoreThanThereIsIsRefusedAtOnceWhereNoOtherMachineWillCome) {
  const std::string path =
      Spec("wide", "name: wide\nroles: [{name: trainer, count: 40}]\nfake: {steps: 1}\n");
  const Ran refused = Run({"submit", path});
  EXPECT_EQ(refused.code, 5);
  EXPECT_THAT(refused.output, HasSubstr("job 'wide' can not start on this cluster"));
  EXPECT_THAT(Run({"list"}).output, HasSubstr("no jobs"));
}

TEST_F(EndToEndTest, EveryVerbSpeaksJson) {
  ASSERT_EQ(Run({"submit", "examples/specs/fake.yaml", "--set", "fake.step_seconds=0"}).code, 0);
  ASSERT_EQ(Run({"wait", "fake"}).code, 0);
  const std::vector<std::vector<std::string>> verbs = {
      {"list"},           {"nodes"},          {"events"},           {"artifacts"},
      {"context"},        {"get", "fake"},    {"describe", "fake"}, {"wait", "fake"},
      {"metrics", "fake"}, {"cancel", "fake"}, {"cordon", "local"},  {"watch", "fake"}};
  for (std::vector<std::string> verb : verbs) {
    verb.insert(verb.end(), {"-o", "json"});
    const Ran ran = Run(verb);
    EXPECT_TRUE(ParseJson(ran.output, "output").ok()) << verb[0] << ": " << ran.output;
  }
  const Ran logs = Run({"logs", "fake", "-o", "json"});
  for (absl::string_view line : absl::StrSplit(logs.output, '\n', absl::SkipEmpty())) {
    EXPECT_TRUE(ParseJson(line, "line").ok()) << line;
  }
}

TEST_F(EndToEndTest, WhatIsAskedForAndDoesNotExistIsNamed) {
  const Ran verb = Run({"submt", "x.yaml"});
  EXPECT_EQ(verb.code, 2);
  EXPECT_THAT(verb.output, HasSubstr("did you mean \"submit\"?"));
  const Ran directory = Run({"submit", "examples"});
  EXPECT_EQ(directory.code, 2);
  EXPECT_THAT(directory.output, HasSubstr("examples: is a directory"));
  ASSERT_EQ(Run({"submit", "examples/specs/fake.yaml", "--set", "fake.step_seconds=0"}).code, 0);
  ASSERT_EQ(Run({"wait", "fake"}).code, 0);
  const Ran task = Run({"logs", "fake", "--task", "rollout/3"});
  EXPECT_EQ(task.code, 4);
  EXPECT_THAT(task.output, HasSubstr("has no task \"rollout/3\" (tasks: trainer/0)"));
  const Ran attempt = Run({"logs", "fake", "--attempt", "7"});
  EXPECT_EQ(attempt.code, 4);
  EXPECT_THAT(attempt.output, HasSubstr("has no attempt 7 (its last one: 1)"));
  EXPECT_THAT(Run({"cordon", "nowhere"}).output, HasSubstr("trainyard nodes shows"));
}

TEST_F(EndToEndTest, ASecondClusterInTheDirectoryIsRefused) {
  auto second = testing::Process::Start(
      {.binary = "trainyard",
       .args = {"up", "--dir", dir_.File("cluster"), "--listen", "127.0.0.1:0"}});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ((*second)->Wait(kLimit)->exit_code, 5);
  EXPECT_THAT((*second)->Output(), HasSubstr(absl::StrCat("coordinator ", address_)));
}

TEST_F(EndToEndTest, NodesCanBeCordoned) {
  EXPECT_THAT(Run({"nodes"}).output, HasSubstr("data,runs"));
  EXPECT_EQ(Run({"cordon", "local"}).code, 0);
  EXPECT_THAT(Run({"nodes"}).output, HasSubstr("cordoned"));
  EXPECT_EQ(Run({"cordon", "local", "--undo"}).code, 0);
  EXPECT_EQ(Run({"cordon", "nowhere"}).code, 4);
}

TEST_F(EndToEndTest, ContextsNameCoordinators) {
  EXPECT_EQ(Run({"context", "--set", "here", "--use", "here"}).code, 0);
  EXPECT_THAT(Run({"context"}).output, HasSubstr("here"));
}

TEST_F(EndToEndTest, KillingUpLeavesNoProcess) {
  up_->Signal(SIGKILL);
  EXPECT_TRUE(up_->Wait(kLimit).ok());
  EXPECT_TRUE(testing::WaitUntil(kLimit, [&] { return ProcessesIn(dir_.path()).empty(); }))
      << ProcessesIn(dir_.path());
  Up();
}

TEST(UnreachableTest, NoCoordinatorIsSaidSo) {
  auto process = testing::Process::Start(
      {.binary = "trainyard",
       .args = {"--coordinator", absl::StrCat("127.0.0.1:", testing::FreePort()), "list"}});
  ASSERT_TRUE(process.ok());
  EXPECT_EQ((*process)->Wait(kLimit)->exit_code, 3);
  EXPECT_THAT((*process)->Output(), HasSubstr("what to do: start a cluster"));
}

}  // namespace
}  // namespace trainyard::cli
