#include "agent/processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/atomic_file.h"
#include "tests/support/process.h"

namespace trainyard::agent {
namespace {

using ::testing::HasSubstr;
constexpr absl::Duration kLong = absl::Seconds(20);

class ProcessesTest : public ::testing::Test {
 protected:
  ProcessesTest() {
    processes_ = std::make_unique<Processes>(
        testing::BinaryPath("trainyard-exec"),
        Processes::Callbacks{
            .on_started =
                [this](uint64_t uid, pid_t pid) {
                  absl::MutexLock lock(&mutex_);
                  pids_[uid] = pid;
                },
            .on_ended =
                [this](uint64_t uid, const EndReason& end) {
                  absl::MutexLock lock(&mutex_);
                  ends_[uid] = end;
                }});
  }
  // Stops the thread that calls back before the members go.
  ~ProcessesTest() override { processes_.reset(); }

  void Run(uint64_t uid, const std::string& script) {
    processes_->Start({.task_uid = uid,
                       .name = "trainer/0",
                       .binary = "/bin/sh",
                       .args = {"-c", script},
                       .environment = {"PATH=/usr/bin:/bin", "ONLY=this"},
                       .output_file = dir_.File(std::to_string(uid))});
  }
  EndReason End(uint64_t uid) {
    absl::MutexLock lock(&mutex_);
    const auto came = [&] {
      mutex_.AssertReaderHeld();
      return ends_.count(uid) != 0;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&came), kLong));
    return ends_[uid];
  }
  pid_t PidOf(uint64_t uid) {
    absl::MutexLock lock(&mutex_);
    const auto came = [&] {
      mutex_.AssertReaderHeld();
      return pids_.count(uid) != 0;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&came), kLong));
    return pids_[uid];
  }
  std::string Output(uint64_t uid) {
    const auto text = ReadFile(dir_.File(std::to_string(uid)));
    return text.ok() ? *text : "";
  }
  void AwaitOutput(uint64_t uid, const std::string& text) {
    EXPECT_TRUE(testing::WaitUntil(kLong, [&] { return Output(uid) == text; })) << Output(uid);
  }

  testing::TempDir dir_;
  absl::Mutex mutex_;
  std::map<uint64_t, pid_t> pids_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, EndReason> ends_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Processes> processes_;
};

TEST_F(ProcessesTest, CapturesOutputAndGivesOnlyTheEnvironmentItIsTold) {
  Run(1, "echo out; echo err >&2; echo $ONLY; echo home=$HOME");
  const EndReason end = End(1);
  EXPECT_EQ(end.end_class, EndClass::kSucceeded);
  EXPECT_GT(end.peak_rss_bytes, 0);
  EXPECT_EQ(Output(1), "out\nerr\nthis\nhome=\n");
}

TEST_F(ProcessesTest, ReservedExitCodesAreClasses) {
  Run(1, "exit " + std::to_string(ExitCodeOf(EndClass::kDiskFull)));
  Run(2, "exit 1");
  EXPECT_EQ(End(1).end_class, EndClass::kDiskFull);
  EXPECT_EQ(End(2).end_class, EndClass::kInternal);
  EXPECT_EQ(End(2).exit_code, 1);
}

TEST_F(ProcessesTest, ASignalFromOutsideIsReportedAsOne) {
  Run(1, "kill -SEGV $$");
  const EndReason end = End(1);
  EXPECT_EQ(end.end_class, EndClass::kSignal);
  EXPECT_EQ(end.signal, SIGSEGV);
  EXPECT_THAT(end.message, HasSubstr("largest memory"));
}

TEST_F(ProcessesTest, TermIsHeardAndItsExitCodeKept) {
  Run(1, "trap 'exit 78' TERM; echo ready; while :; do sleep 0.01; done");
  AwaitOutput(1, "ready\n");
  processes_->Signal(1, /*kill=*/false);
  EXPECT_EQ(End(1).end_class, EndClass::kDrained);
}

TEST_F(ProcessesTest, TermThatKillsIsADrain) {
  Run(1, "echo ready; exec sleep 1000");
  AwaitOutput(1, "ready\n");
  processes_->Signal(1, /*kill=*/false);
  EXPECT_EQ(End(1).end_class, EndClass::kDrained);
}

TEST_F(ProcessesTest, KillEndsOneThatIgnoresTermAndIsNoForeignSignal) {
  Run(1, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
  AwaitOutput(1, "ready\n");
  processes_->Signal(1, /*kill=*/false);
  processes_->Signal(1, /*kill=*/true);
  const EndReason end = End(1);
  EXPECT_EQ(end.end_class, EndClass::kDrained);
  EXPECT_THAT(end.message, HasSubstr("did not stop in time"));
}

TEST_F(ProcessesTest, DescendantsDieWithTheirTask) {
  Run(1, "sleep 1000 & echo $!; exit 0");
  End(1);
  const pid_t descendant = std::atoi(Output(1).c_str());
  ASSERT_GT(descendant, 0);
  EXPECT_TRUE(testing::WaitUntil(kLong, [&] { return kill(descendant, 0) != 0; }));
}

TEST_F(ProcessesTest, AStoppedTaskCanBeKilled) {
  Run(1, "echo ready; exec sleep 1000");
  AwaitOutput(1, "ready\n");
  kill(PidOf(1), SIGSTOP);
  processes_->Signal(1, /*kill=*/true);
  EXPECT_EQ(End(1).signal, SIGKILL);
}

TEST_F(ProcessesTest, AProgramThatIsNotThereIsSaidInItsOutput) {
  processes_->Start({.task_uid = 1,
                     .name = "trainer/0",
                     .binary = "/no/such/program",
                     .output_file = dir_.File("1")});
  EXPECT_EQ(End(1).end_class, EndClass::kInternal);
  EXPECT_THAT(Output(1), HasSubstr("/no/such/program: No such file"));
}

TEST_F(ProcessesTest, NothingOutlivesTheObject) {
  Run(1, "trap '' TERM; sleep 1000 & echo ready; wait");
  AwaitOutput(1, "ready\n");
  const pid_t pid = PidOf(1);
  processes_.reset();
  EXPECT_TRUE(testing::WaitUntil(kLong, [&] { return kill(-pid, 0) != 0; }));
}

TEST_F(ProcessesTest, ManyStartAndEndAtTheSameTime) {
  for (uint64_t uid = 1; uid <= 50; ++uid) Run(uid, "exit 0");
  for (uint64_t uid = 1; uid <= 50; ++uid) EXPECT_EQ(End(uid).end_class, EndClass::kSucceeded);
}

}  // namespace
}  // namespace trainyard::agent
