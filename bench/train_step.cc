// Training steps of a language model, timed:
// bench_train_step demo|recipe|smollm2 fp32|bf16 ROWS CONTEXT THREADS.
// For each number that is read from standard input, as many steps are made and one line of JSON is
// printed with the seconds of the fastest. bench/train_step.py runs it beside PyTorch.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "bench/training_fixture.h"
#include "checkpoint/tensor_io.h"
#include "collective/local_group.h"
#include "model/numerics.h"

namespace trainyard::bench {
namespace {

double Now() { return absl::ToDoubleSeconds(Clock::Real().Monotonic()); }

int Main(char** argv) {
  model::SetComputeThreads(std::atoi(argv[5]));
  const checkpoint::DType dtype = *model::ParseComputeType(argv[2]);
  const Workload workload = {argv[1], checkpoint::ToScalarType(dtype), std::atoi(argv[3]),
                             std::atoi(argv[4])};
  const auto group = collective::SingleRankGroup();
  TrainingFixture fixture(workload, group.get());
  int steps = 0;
  while (std::cin >> steps) {
    double fastest = std::numeric_limits<double>::infinity(), loss = 0;
    for (int i = 0; i < steps; ++i) {
      const double begin = Now();
      loss = fixture.RunStep().loss;
      fastest = std::min(fastest, Now() - begin);
    }
    const Json line = {{"seconds", fastest},
                       {"loss", loss},
                       {"tokens", workload.rows * workload.context},
                       {"numerics_id", model::NumericsId("cpu", dtype)}};
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s demo|recipe|smollm2 fp32|bf16 ROWS CONTEXT THREADS\n", argv[0]);
    return 2;
  }
  return trainyard::bench::Main(argv);
}
