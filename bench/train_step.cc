// Training steps of a language model, timed: bench_train_step demo|recipe fp32|bf16 ROWS CONTEXT
// THREADS. For each number that is read from standard input, as many steps are made and one line of
// JSON is printed with the seconds of the fastest. bench/train_step.py runs it beside PyTorch.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/status.h"
#include "checkpoint/tensor_io.h"
#include "collective/local_group.h"
#include "model/loss.h"
#include "model/numerics.h"
#include "model/transformer.h"
#include "worker/parameter_set.h"

namespace trainyard {
namespace {

model::ModelConfig ConfigOf(const std::string& name) {
  const bool demo = name == "demo";
  model::ModelConfig config;
  config.vocab_size = demo ? 8192 : 4096;
  config.width = demo ? 256 : 128;
  config.ffn_width = demo ? 768 : 344;
  config.layers = demo ? 6 : 4;
  config.heads = config.kv_heads = 4;
  config.head_width = config.width / config.heads;
  config.max_positions = 1024;
  return config;
}

struct Batch {
  model::PackedTokens tokens;
  model::CrossEntropyTargets targets;
};

Batch MakeBatch(const model::ModelConfig& config, int64_t rows, int64_t context) {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  const CounterRandom random(1);
  for (int64_t i = 0; i < rows * context; ++i) {
    ids.push_back(static_cast<int32_t>(random.Below(static_cast<uint64_t>(config.vocab_size), i)));
  }
  for (int64_t i = 0; i < rows; ++i) offsets.push_back((i + 1) * context);
  Batch batch;
  auto packed = model::PackTokens(config, {ids, offsets, {}}, at::kCPU);
  TY_CHECK(packed.ok());
  batch.tokens = *std::move(packed);
  batch.targets.targets_N = batch.tokens.token_ids_N.roll(-1);
  batch.targets.weights_N = at::ones({batch.tokens.token_ids_N.size(0)});
  for (int64_t i = 0; i < rows; ++i) batch.targets.weights_N[(i + 1) * context - 1] = 0;
  return batch;
}

struct StepTimes {
  double total = 0, forward = 0, backward = 0, optimizer = 0, loss = 0;
};

StepTimes RunStep(const model::Model& model, const Batch& batch, worker::ParameterSet* parameters) {
  const auto now = [] { return absl::ToDoubleSeconds(Clock::Real().Monotonic()); };
  StepTimes times;
  const double begin = now();
  parameters->BeginStep();
  parameters->BeginMicroBatch(/*last=*/true);
  const at::Tensor loss = model::LinearCrossEntropy(model::Forward(model, batch.tokens),
                                                    model::LmHeadWeight(model), batch.targets);
  const double forwarded = now();
  torch::autograd::backward({loss}, {});
  const double backwarded = now();
  parameters->Launch();
  const double units = batch.targets.weights_N.sum().item<double>();
  TY_CHECK(parameters->Finish(units).ok());
  parameters->Update(1e-4);
  const double end = now();
  times = {end - begin, forwarded - begin, backwarded - forwarded, end - backwarded,
           loss.item<double>() / units};
  return times;
}

int Main(char** argv) {
  model::SetComputeThreads(std::atoi(argv[5]));
  const model::ModelConfig config = ConfigOf(argv[1]);
  model::InitOptions init;
  init.dtype = checkpoint::ToScalarType(*model::ParseComputeType(argv[2]));
  const auto model = model::InitModel(config, init);
  TY_CHECK(model.ok());
  model::SetRequiresGrad(*model, true);
  const auto groups = collective::LocalGroups(1, absl::Minutes(1));
  const auto parameters =
      worker::ParameterSet::Create(model::Parameters(*model), groups[0].get(), {});
  TY_CHECK(parameters.ok());
  const int64_t rows = std::atoi(argv[3]), context = std::atoi(argv[4]);
  const Batch batch = MakeBatch(config, rows, context);
  int steps = 0;
  while (std::cin >> steps) {
    StepTimes best;
    for (int i = 0; i < steps; ++i) {
      const StepTimes times = RunStep(*model, batch, parameters->get());
      if (i == 0 || times.total < best.total) best = times;
    }
    const Json line = {
        {"seconds", best.total},
        {"forward", best.forward},
        {"backward", best.backward},
        {"optimizer", best.optimizer},
        {"loss", best.loss},
        {"tokens", rows * context},
        {"numerics_id", model::NumericsId("cpu", *model::ParseComputeType(argv[2]))}};
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace trainyard

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s demo|recipe fp32|bf16 ROWS CONTEXT THREADS\n", argv[0]);
    return 2;
  }
  return trainyard::Main(argv);
}
