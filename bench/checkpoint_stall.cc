// What a checkpoint costs training. bench_checkpoint_stall [STEPS] [EVERY] [PAIRS]
//
// Tokens per second of STEPS steps (100) with a checkpoint every EVERY (50) against none, in turns;
// the longest time that training stood still for one; and the same stall for the state of a model
// of 124 M parameters (fp32, AdamW: 1.5 GB), whose steps are too slow to time here. One line of
// JSON each. Targets: ratio >= 0.985, stall <= 0.5 s.

#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "bench/training_fixture.h"
#include "collective/local_group.h"
#include "model/numerics.h"
#include "task/session.h"
#include "worker/checkpointer.h"

namespace trainyard::bench {
namespace {

double Now() { return absl::ToDoubleSeconds(Clock::Real().Monotonic()); }

worker::CheckpointerOptions Options(const std::string& directory) {
  worker::CheckpointerOptions options;
  options.run_uri = "root://runs/bench";
  options.run_directory = directory;
  options.epoch = 1;
  options.stand_alone = true;
  return options;
}

struct Timed {
  double seconds = 0;
  double longest_stall = 0;
};

// `every` 0: no checkpoints.
Timed RunSteps(TrainingFixture& fixture, worker::Checkpointer& checkpointer, int steps, int every) {
  Timed timed;
  const double begin = Now();
  for (int step = 1; step <= steps; ++step) {
    const auto signals = checkpointer.Look();
    TY_CHECK(signals.ok());
    fixture.RunStep();
    TY_CHECK(checkpointer.Advance(*signals).ok());
    if (every == 0 || step % every != 0 || checkpointer.busy()) continue;
    const double stall_begin = Now();
    const int64_t total_steps = fixture.parameters().optimizer().step_count();
    TY_CHECK(checkpointer.Begin({total_steps, Json::object(), std::nullopt}).ok());
    timed.longest_stall = std::max(timed.longest_stall, Now() - stall_begin);
  }
  timed.seconds = Now() - begin;
  TY_CHECK(checkpointer.Finish().ok());
  return timed;
}

void BenchRatio(int steps, int every, int pairs, const std::string& directory) {
  const auto group = collective::SingleRankGroup();
  const auto session = task::StandAlone();
  Workload workload;
  workload.model = "recipe";
  workload.dtype = at::kBFloat16;
  workload.context = 64;
  TrainingFixture fixture(workload, group.get());
  worker::Checkpointer checkpointer(Options(directory), fixture.parameters().optimizer().State(),
                                    group.get(), session.get());
  RunSteps(fixture, checkpointer, 10, 5);
  std::vector<double> ratios;
  double longest_stall = 0;
  for (int pair = 0; pair < pairs; ++pair) {
    const Timed without = RunSteps(fixture, checkpointer, steps, 0);
    const Timed with = RunSteps(fixture, checkpointer, steps, every);
    ratios.push_back(without.seconds / with.seconds);
    longest_stall = std::max(longest_stall, with.longest_stall);
  }
  std::sort(ratios.begin(), ratios.end());
  const Json line = {{"bench", "checkpoint_stall"}, {"steps", steps},
                     {"every", every},              {"ratio_median", ratios[ratios.size() / 2]},
                     {"target", 0.985},             {"longest_stall_seconds", longest_stall}};
  std::printf("%s\n", line.dump().c_str());
}

void BenchLargeState(const std::string& directory) {
  const auto group = collective::SingleRankGroup();
  const auto session = task::StandAlone();
  worker::NamedTensors state;
  for (int i = 0; i < 3 * 31; ++i) {
    state.push_back(
        {absl::StrCat("tensor", i), at::full({4, 1'000'000}, 0.5f + static_cast<float>(i))});
  }
  worker::Checkpointer checkpointer(Options(directory), state, group.get(), session.get());
  double longest_stall = 0;
  double written = 0;
  for (int64_t step = 1; step <= 3; ++step) {
    const double begin = Now();
    TY_CHECK(checkpointer.Begin({step, Json::object(), std::nullopt}).ok());
    longest_stall = std::max(longest_stall, Now() - begin);
    TY_CHECK(checkpointer.Finish().ok());
    written = Now() - begin;
  }
  const Json line = {{"bench", "checkpoint_stall_124m"},
                     {"longest_stall_seconds", longest_stall},
                     {"written_seconds", written},
                     {"target", 0.5}};
  std::printf("%s\n", line.dump().c_str());
}

int Main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 100;
  const int every = argc > 2 ? std::atoi(argv[2]) : 50;
  const int pairs = argc > 3 ? std::atoi(argv[3]) : 3;
  model::SetComputeThreads(2);
  const std::string directory =
      std::filesystem::temp_directory_path() / ("trainyard-bench-" + std::to_string(getpid()));
  BenchRatio(steps, every, pairs, directory + "/ratio");
  BenchLargeState(directory + "/large");
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) { return trainyard::bench::Main(argc, argv); }
