// Runs many seeds of the cluster simulator. By hand:
//
//   simulation_test --seeds=2000            more of them
//   simulation_test --seed=17               one again, with its trace when it fails
//   simulation_test --seed=17 --trace       one again, with its trace
#include "tests/simulation/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace trainyard::simulation {
namespace {

// Of the command line.
struct Flags {
  uint64_t seed = 0;  // 0 = from the time
  int64_t seeds = 200;
  int64_t events = 1000;
  bool trace = false;
};
Flags flags;

void Print(const SimulationResult& result) {
  for (const std::string& line : result.trace) std::printf("%s\n", line.c_str());
}

SimulationResult RunSeed(uint64_t seed, const SimCoordinatorOptions& coordinator) {
  SimulationOptions options;
  options.seed = seed;
  options.events = flags.events;
  options.coordinator = coordinator;
  return Simulate(options);
}

SimCoordinatorOptions Defaults() {
  SimCoordinatorOptions options;
  options.core.hang_min = absl::Seconds(10);
  options.core.task_silence_limit = absl::Seconds(60);
  return options;
}

// Enough that a fault which shows in one run of thirty is found.
constexpr uint64_t kMutantSeeds = 300;

// The first of some seeds in which a deliberate fault is found, in words; empty when it never is.
std::string FirstFinding(const SimCoordinatorOptions& options) {
  for (uint64_t seed = 1; seed <= kMutantSeeds; ++seed) {
    const SimulationResult result = RunSeed(seed, options);
    if (!result.violations.empty()) return result.violations.front();
  }
  return "";
}

TEST(SimulationTest, NoSeedBreaksAnInvariant) {
  const bool one = flags.seed != 0;
  const uint64_t first = one ? flags.seed : static_cast<uint64_t>(absl::ToUnixMicros(absl::Now()));
  const int64_t seeds = one ? 1 : flags.seeds;
  std::printf("seeds %llu..%llu\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + seeds - 1));
  int64_t events = 0;
  std::map<std::string, int64_t> counts;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const SimulationResult result = RunSeed(seed, Defaults());
    if (!result.violations.empty() || flags.trace) Print(result);
    ASSERT_TRUE(result.violations.empty())
        << "seed " << seed << ": " << result.violations.front()
        << "\nrun it again with --seed=" << seed << " --events=" << flags.events;
    EXPECT_GE(result.events, flags.events);
    events += result.events;
    for (const auto& [type, count] : result.counts) counts[type] += count;
  }
  std::printf("%lld events\n", static_cast<long long>(events));
  for (const auto& [type, count] : counts) {
    std::printf("%10lld %s\n", static_cast<long long>(count), type.c_str());
  }
  if (seeds < 50) return;
  // A simulation in which nothing happens would break no invariant either.
  for (const char* type :
       {"attempt.ended", "attempt.failed", "attempt.fenced", "attempt.running",
        "checkpoint.committed", "job.cancel", "job.fail", "job.pause", "job.requeue", "job.resumed",
        "job.retried", "job.scaled", "job.succeed", "node.drained", "node.leaving", "node.lost",
        "task.added", "task.hung", "task.removed"}) {
    EXPECT_GT(counts[type], 0) << type;
  }
}

TEST(SimulationTest, TheSameSeedIsTheSameRun) {
  const SimulationResult first = RunSeed(7, Defaults());
  const SimulationResult second = RunSeed(7, Defaults());
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.events, second.events);
}

TEST(SimulationTest, ACoreThatDoesNotCheckEpochsIsFound) {
  SimCoordinatorOptions options = Defaults();
  options.core.mutation.no_epoch_check = true;
  EXPECT_THAT(FirstFinding(options), testing::HasSubstr("has the right"));
}

TEST(SimulationTest, ACoordinatorThatAnswersBeforeTheDiskIsFound) {
  SimCoordinatorOptions options = Defaults();
  options.reply_before_durable = true;
  EXPECT_THAT(FirstFinding(options), testing::HasSubstr("is durable"));
}

TEST(SimulationTest, ACoreThatPlacesTwiceIsFound) {
  SimCoordinatorOptions options = Defaults();
  options.core.mutation.double_placement = true;
  EXPECT_THAT(FirstFinding(options),
              testing::AnyOf(testing::HasSubstr("over-assigned"), testing::HasSubstr("held by")));
}

}  // namespace
}  // namespace trainyard::simulation

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  using trainyard::simulation::flags;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    bool known = argument == "--trace";
    flags.trace |= known;
    if (absl::ConsumePrefix(&argument, "--seed=")) known = absl::SimpleAtoi(argument, &flags.seed);
    if (absl::ConsumePrefix(&argument, "--seeds=")) {
      known = absl::SimpleAtoi(argument, &flags.seeds);
    }
    if (absl::ConsumePrefix(&argument, "--events=")) {
      known = absl::SimpleAtoi(argument, &flags.events);
    }
    if (known) continue;
    std::fprintf(stderr, "unknown argument %s; known: --seed= --seeds= --events= --trace\n",
                 argv[i]);
    return 2;
  }
  return RUN_ALL_TESTS();
}
