// Two ranks with one thread each against one rank with two threads, same global batch: is a core
// worth as much in a rank of its own? bench_data_parallel [demo|recipe] [fp32|bf16] [PAIRS] [STEPS]
//
// The arrangements run in turns, each in fresh processes over Gloo; a run's figure is its fastest
// step. Prints one line of JSON per pair, and one with the median ratio (the goal is >= 0.95).

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "bench/training_fixture.h"
#include "collective/rendezvous.h"
#include "model/numerics.h"

namespace trainyard::bench {
namespace {

struct Arrangement {
  int ranks;
  int threads;
};

// A pipe that carries one short text from one process to another.
class Channel {
 public:
  Channel() { TY_CHECK(pipe(ends_) == 0); }
  ~Channel() {
    close(ends_[0]);
    close(ends_[1]);
  }
  void Send(const std::string& text) {
    TY_CHECK(write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string Receive() {
    char buffer[256];
    const ssize_t size = read(ends_[0], buffer, sizeof buffer);
    TY_CHECK(size > 0);
    return std::string(buffer, static_cast<size_t>(size));
  }

 private:
  int ends_[2];
};

// A rank's life, in a process of its own. Returns the seconds of its fastest step.
double RunRank(const Workload& workload, const Arrangement& arrangement, int rank, int steps,
               Channel* endpoint) {
  model::SetComputeThreads(arrangement.threads);
  collective::RendezvousOptions options;
  options.job = "bench";
  options.rank = rank;
  options.world_size = arrangement.ranks;
  options.host = "127.0.0.1";
  options.publish = [endpoint](const std::string& address) {
    endpoint->Send(address);
    return absl::OkStatus();
  };
  options.await_endpoint = [endpoint](absl::Duration) -> absl::StatusOr<std::string> {
    return endpoint->Receive();
  };
  auto group = collective::JoinGroup(options);
  TY_CHECK(group.ok());
  TrainingFixture fixture(workload, group->get());
  fixture.RunStep();
  fixture.RunStep();
  double fastest = 1e9;
  for (int step = 0; step < steps; ++step) {
    TY_CHECK((*group)->Barrier().ok());
    const absl::Duration begin = Clock::Real().Monotonic();
    fixture.RunStep();
    fastest = std::min(fastest, absl::ToDoubleSeconds(Clock::Real().Monotonic() - begin));
  }
  return fastest;
}

double RunArrangement(const Workload& workload, const Arrangement& arrangement, int steps) {
  Channel endpoint;
  Channel result;
  std::vector<pid_t> children;
  for (int rank = 0; rank < arrangement.ranks; ++rank) {
    const pid_t child = fork();
    TY_CHECK(child >= 0);
    if (child == 0) {
      const double seconds = RunRank(workload, arrangement, rank, steps, &endpoint);
      if (rank == 0) result.Send(std::to_string(seconds));
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int state = 0;
    waitpid(child, &state, 0);
    TY_CHECK(state == 0);
  }
  return std::atof(result.Receive().c_str());
}

int Main(int argc, char** argv) {
  Workload workload;
  if (argc > 1) workload.model = argv[1];
  if (workload.model == "recipe") workload.context = 64;
  if (argc > 2 && std::string(argv[2]) == "bf16") workload.dtype = at::kBFloat16;
  const int pairs = argc > 3 ? std::atoi(argv[3]) : 3;
  const int steps = argc > 4 ? std::atoi(argv[4]) : 4;
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    const double one = RunArrangement(workload, {1, 2}, steps);
    const double two = RunArrangement(workload, {2, 1}, steps);
    const double tokens = static_cast<double>(workload.rows * workload.context);
    ratios.push_back(one / two);
    const Json line = {{"bench", "data_parallel"},
                       {"model", workload.model},
                       {"dtype", workload.dtype == at::kFloat ? "fp32" : "bf16"},
                       {"tokens_per_second_1x2", tokens / one},
                       {"tokens_per_second_2x1", tokens / two},
                       {"ratio", one / two}};
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }
  std::sort(ratios.begin(), ratios.end());
  const Json line = {{"bench", "data_parallel"},
                     {"model", workload.model},
                     {"ratio_median", ratios[ratios.size() / 2]},
                     {"target", 0.95}};
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) { return trainyard::bench::Main(argc, argv); }
