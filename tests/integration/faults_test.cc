// Jobs while their processes are killed and stopped at random points. The points are a function of
// the seed, which is printed:
//
//   faults_test [--seed N] [--rounds N]

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "rpc/call.h"
#include "tests/support/cluster.h"

namespace trainyard::testing {
namespace {

using ::testing::HasSubstr;
constexpr absl::Duration kLong = absl::Seconds(90);

struct FaultOptions {
  uint64_t seed = 0;
  int rounds = 3;
};
FaultOptions& Options() {
  static FaultOptions options;
  return options;
}

// Draws of one test, in order.
class Dice {
 public:
  explicit Dice(absl::string_view test) : random_(DeriveKey(Options().seed, test)) {}
  int64_t Below(int64_t bound) { return static_cast<int64_t>(random_.Below(bound, draws_++)); }
  absl::Duration Milliseconds(int64_t least, int64_t most) {
    return absl::Milliseconds(least + Below(most - least + 1));
  }

 private:
  CounterRandom random_;
  uint64_t draws_ = 0;
};

class FaultsTest : public ::testing::Test {
 protected:
  FaultsTest() : dice_(::testing::UnitTest::GetInstance()->current_test_info()->name()) {}

  void Start(const ClusterOptions& options) {
    auto cluster = Cluster::Start(options);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
  }

  // A job that takes about 2 s and commits every 10 steps.
  std::string Submit(const std::string& name, int ranks) {
    v1::JobSpec spec = FakeJob(name, 60, absl::Milliseconds(30), ranks);
    spec.mutable_fake()->set_checkpoint_every(10);
    spec.set_max_attempts(100);
    const auto job = cluster_->Submit(spec, name);
    EXPECT_TRUE(job.ok()) << job.status();
    if (!job.ok()) return "";
    acknowledged_[name] = {job->id(), spec};
    return job->id();
  }

  // Lets time pass for the cluster.
  void Pass(absl::Duration time) {
    WaitUntil(time, [] { return false; });
  }

  void AwaitProgress(const std::string& job) {
    const auto seen = cluster_->WaitFor(job, kLong, [](const v1::Job& j) {
      return j.progress().step() > 0 || IsTerminal(j.state());
    });
    ASSERT_TRUE(seen.ok()) << seen.status();
  }

  // Everything that was acknowledged is there and succeeds, every slot is free, nobody is left.
  void ExpectAllWell() {
    for (const auto& [request, told] : acknowledged_) {
      const auto job = cluster_->WaitForState(told.id, v1::SUCCEEDED, kLong);
      EXPECT_TRUE(job.ok()) << job.status();
      const auto repeated = cluster_->Submit(told.spec, request);
      ASSERT_TRUE(repeated.ok()) << repeated.status();
      EXPECT_EQ(repeated->id(), told.id) << "an acknowledged submission was forgotten";
    }
    const absl::Status idle = cluster_->WaitUntilIdle(kLong);
    EXPECT_TRUE(idle.ok()) << idle;
  }

  void KillATask() {
    const std::vector<pid_t> pids = cluster_->TaskPids();
    if (!pids.empty()) kill(pids[dice_.Below(pids.size())], SIGKILL);
  }

  // The file that the only task prints to.
  std::string OnlyOutput() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             cluster_->Dir("work-0"))) {
      if (entry.path().filename() == "output") return entry.path().string();
    }
    ADD_FAILURE() << "no task prints anything";
    return "";
  }
  // Steps in it; what is shipped reads as zeros, the last numbers the others.
  static size_t Lines(const std::string& path) {
    std::ifstream file(path);
    size_t last = 0;
    for (std::string line; std::getline(file, line);) {
      const size_t at = line.rfind("step ");
      if (at != std::string::npos && absl::StrContains(line, " of ")) {
        last = std::strtoull(line.c_str() + at + 5, nullptr, 10);
      }
    }
    return last;
  }
  static int CountOf(const std::string& text, const std::string& line) {
    int count = 0;
    for (size_t at = text.find(line); at != std::string::npos; at = text.find(line, at + 1)) {
      ++count;
    }
    return count;
  }
  std::string LogOf(const std::string& job, int attempt) {
    v1::GetLogsRequest request;
    request.set_job(job);
    request.set_attempt(attempt);
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = absl::Seconds(10)}, &context);
    auto reader = cluster_->jobs().GetLogs(&context, request);
    std::string text;
    v1::LogChunk chunk;
    while (reader->Read(&chunk)) text += chunk.data();
    reader->Finish();
    return text;
  }

  struct Told {
    std::string id;
    v1::JobSpec spec;
  };
  Dice dice_;
  std::unique_ptr<Cluster> cluster_;
  std::map<std::string, Told> acknowledged_;
};

TEST_F(FaultsTest, KillsOfTheCoordinatorDisturbNoRunningJobAndLoseNothingAcknowledged) {
  Start({});
  const std::string running = Submit("running", 2);
  AwaitProgress(running);
  for (int kills = 0; kills < std::max(Options().rounds, 5); ++kills) {
    Submit(absl::StrCat("job-", kills), 1);
    Pass(dice_.Milliseconds(0, 300));
    cluster_->coordinator().Kill();
    Pass(dice_.Milliseconds(0, 300));
    const absl::Status started = cluster_->StartCoordinator();
    ASSERT_TRUE(started.ok()) << started << cluster_->Logs();
  }
  ExpectAllWell();
  const auto job = cluster_->Get(running);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->attempt(), 1) << "a running job was disturbed\n" << cluster_->Logs();
}

TEST_F(FaultsTest, AKilledTaskEndsItsAttemptAndTheNextGoesOnFromTheLastCommit) {
  Start({});
  for (int round = 0; round < Options().rounds; ++round) {
    const std::string id = Submit(absl::StrCat("job-", round), 2);
    AwaitProgress(id);
    Pass(dice_.Milliseconds(0, 1200));
    KillATask();
    const auto done = cluster_->WaitForState(id, v1::SUCCEEDED, kLong);
    ASSERT_TRUE(done.ok()) << done.status();
    for (const v1::Checkpoint& checkpoint : done->checkpoints()) {
      EXPECT_LE(checkpoint.epoch(), done->epoch());
    }
  }
  ExpectAllWell();
}

TEST_F(FaultsTest, TasksDieWithTheirAgentAndTheirJobsGoOn) {
  Start({.agents = 2, .cpu_milli = 1000});
  for (int round = 0; round < Options().rounds; ++round) {
    const std::string id = Submit(absl::StrCat("job-", round), 3);
    AwaitProgress(id);
    Pass(dice_.Milliseconds(0, 1000));
    const int victim = static_cast<int>(dice_.Below(2));
    cluster_->agent(victim).Signal(SIGKILL);
    ASSERT_TRUE(cluster_->agent(victim).Wait(kLong).ok());
    Pass(dice_.Milliseconds(0, 500));
    ASSERT_TRUE(cluster_->StartAgent(victim).ok());
  }
  ExpectAllWell();
}

TEST_F(FaultsTest, WhatATaskPrintedBeforeItsAgentWasKilledIsNotLost) {
  Start({});
  v1::JobSpec spec = FakeJob("loud", 2000, absl::Milliseconds(10));
  spec.set_max_attempts(100);
  const auto job = cluster_->Submit(spec, "loud");
  ASSERT_TRUE(job.ok()) << job.status();
  AwaitProgress(job->id());
  // Without a coordinator nothing is shipped any more, and the task goes on.
  cluster_->coordinator().Kill();
  const std::string output = OnlyOutput();
  const size_t before = Lines(output);
  ASSERT_TRUE(WaitUntil(kLong, [&] { return Lines(output) > before + 20; }));
  cluster_->agent(0).Kill();
  ASSERT_TRUE(WaitUntil(kLong, [&] { return cluster_->TaskPids().empty(); }));
  const size_t printed = Lines(output);
  ASSERT_TRUE(cluster_->StartCoordinator().ok()) << cluster_->Logs();
  ASSERT_TRUE(cluster_->StartAgent(0).ok()) << cluster_->Logs();
  const std::string last = absl::StrCat("step ", printed, " of 2000\n");
  std::string text;
  EXPECT_TRUE(WaitUntil(kLong, [&] {
    text = LogOf(job->id(), 1);
    return absl::StrContains(text, last);
  })) << last << text << cluster_->Logs();
  for (size_t step = 1; step <= printed; ++step) {
    EXPECT_EQ(CountOf(text, absl::StrCat("step ", step, " of 2000\n")), 1) << text;
  }
  EXPECT_TRUE(WaitUntil(kLong, [&] { return Lines(output) == 0; })) << "shipped, it may go";
}

TEST_F(FaultsTest, NoTaskOutlivesItsAgent) {
  Start({});
  AwaitProgress(Submit("job", 3));
  ASSERT_EQ(cluster_->TaskPids().size(), 3);
  cluster_->agent(0).Signal(SIGKILL);
  EXPECT_TRUE(WaitUntil(absl::Seconds(10), [&] { return cluster_->TaskPids().empty(); }));
}

TEST_F(FaultsTest, ALostNodesJobGoesOnElsewhere) {
  Start({.agents = 2, .cpu_milli = 1000});
  const std::string id = Submit("job", 1);
  AwaitProgress(id);
  const auto job = cluster_->Get(id);
  ASSERT_TRUE(job.ok() && job->current().tasks_size() == 1) << job.status();
  const std::string node = job->current().tasks(0).node();
  cluster_->agent(node == "node-0" ? 0 : 1).Kill();
  const auto done = cluster_->WaitForState(id, v1::SUCCEEDED, kLong);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_NE(done->current().tasks(0).node(), node);
}

TEST_F(FaultsTest, AProcessThatStandsStillForAWhileLosesNothing) {
  Start({.agents = 2, .cpu_milli = 1000});
  for (int round = 0; round < Options().rounds; ++round) {
    const std::string id = Submit(absl::StrCat("job-", round), 3);
    AwaitProgress(id);
    const std::vector<pid_t> tasks = cluster_->TaskPids();
    std::vector<pid_t> candidates = {cluster_->coordinator().pid(), cluster_->agent(0).pid(),
                                     cluster_->agent(1).pid()};
    if (!tasks.empty()) candidates.push_back(tasks[dice_.Below(tasks.size())]);
    const pid_t victim = candidates[dice_.Below(candidates.size())];
    kill(victim, SIGSTOP);
    Pass(dice_.Milliseconds(500, 5000));
    kill(victim, SIGCONT);
  }
  ExpectAllWell();
}

TEST_F(FaultsTest, FaultsOfAllKindsOneAfterTheOther) {
  Start({.agents = 2, .cpu_milli = 2000});
  for (int i = 0; i < 4; ++i) Submit(absl::StrCat("job-", i), 1 + i % 2);
  for (int round = 0; round < 3 * Options().rounds; ++round) {
    Pass(dice_.Milliseconds(0, 600));
    const int agent = static_cast<int>(dice_.Below(2));
    switch (dice_.Below(3)) {
      case 0:
        KillATask();
        break;
      case 1:
        cluster_->agent(agent).Signal(SIGKILL);
        ASSERT_TRUE(cluster_->agent(agent).Wait(kLong).ok());
        ASSERT_TRUE(cluster_->StartAgent(agent).ok());
        break;
      default:
        cluster_->coordinator().Kill();
        ASSERT_TRUE(cluster_->StartCoordinator().ok()) << cluster_->Logs();
    }
  }
  ExpectAllWell();
}

TEST_F(FaultsTest, AFullRunRootIsTheCauseThatIsToldAndCommitsStay) {
  TempDir small;
  if (mount("tmpfs", small.path().c_str(), "tmpfs", 0, "size=512k") != 0) {
    GTEST_SKIP() << "mounting a small file system: " << std::strerror(errno);
  }
  Start({.runs_dir = small.path()});
  v1::JobSpec spec = FakeJob("big", 40, absl::Milliseconds(10));
  spec.mutable_fake()->set_checkpoint_every(2);
  spec.mutable_fake()->set_checkpoint_bytes(220'000);
  spec.set_max_attempts(1);
  const auto job = cluster_->Submit(spec);
  ASSERT_TRUE(job.ok()) << job.status();
  const auto failed = cluster_->WaitForState(job->id(), v1::FAILED, kLong);
  EXPECT_TRUE(failed.ok()) << failed.status();
  if (failed.ok()) {
    EXPECT_EQ(failed->end().class_(), v1::END_DISK_FULL) << failed->end().message();
    EXPECT_THAT(failed->end().message(), HasSubstr(small.path()));
    EXPECT_GE(failed->checkpoints_size(), 1);
  }
  cluster_.reset();
  umount(small.path().c_str());
}

}  // namespace
}  // namespace trainyard::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  auto& options = trainyard::testing::Options();
  options.seed = trainyard::EntropyBits() % 1'000'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    const bool seed = std::strcmp(argv[i], "--seed") == 0;
    const bool rounds = std::strcmp(argv[i], "--rounds") == 0;
    const bool read = (seed && absl::SimpleAtoi(argv[i + 1], &options.seed)) ||
                      (rounds && absl::SimpleAtoi(argv[i + 1], &options.rounds));
    if (!read) {
      std::fprintf(stderr, "usage: faults_test [--seed N] [--rounds N]\n");
      return 2;
    }
  }
  std::printf("again with: faults_test --seed %llu --rounds %d\n",
              static_cast<unsigned long long>(options.seed), options.rounds);
  return RUN_ALL_TESTS();
}
