// A language model with random tokens, for benches of the training step.

#ifndef TRAINYARD_BENCH_TRAINING_FIXTURE_H_
#define TRAINYARD_BENCH_TRAINING_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "collective/group.h"
#include "data/train_batch.h"
#include "model/transformer.h"
#include "worker/objective_lm.h"
#include "worker/parameter_set.h"
#include "worker/spike_guard.h"
#include "worker/step.h"

namespace trainyard::bench {

struct Workload {
  // recipe: 1.3 M parameters (the demonstration's), demo: 7.2 M, smollm2: 135 M.
  std::string model = "demo";
  at::ScalarType dtype = at::kFloat;
  int64_t rows = 16;  // sequences of a step, over all ranks
  int64_t context = 256;
};

// One rank's model, optimizer and batch. Owned by one thread.
class TrainingFixture {
 public:
  TrainingFixture(const Workload& workload, collective::Group* group);

  // One optimizer step of this rank; dies on an error.
  worker::StepResult RunStep();
  worker::ParameterSet& parameters() { return *parameters_; }

 private:
  model::Model model_;
  std::unique_ptr<worker::ParameterSet> parameters_;
  std::unique_ptr<worker::LmObjective> objective_;
  worker::SpikeGuard spike_guard_;
  std::unique_ptr<worker::Step> step_;
  data::TrainBatch batch_;
};

}  // namespace trainyard::bench

#endif  // TRAINYARD_BENCH_TRAINING_FIXTURE_H_
