#include "bench/training_fixture.h"

#include <ATen/ATen.h>

#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::bench {
namespace {

model::ModelConfig ConfigOf(const std::string& name) {
  struct Size {
    int64_t vocab_size, width, ffn_width, layers, heads, kv_heads;
  };
  static constexpr Size kRecipe = {4096, 128, 344, 4, 4, 4};
  static constexpr Size kDemo = {8192, 256, 768, 6, 4, 4};
  static constexpr Size kSmolLm2 = {49152, 576, 1536, 30, 9, 3};
  TY_CHECK(name == "recipe" || name == "demo" || name == "smollm2");
  const Size& size = name == "recipe" ? kRecipe : name == "demo" ? kDemo : kSmolLm2;
  model::ModelConfig config;
  config.vocab_size = size.vocab_size;
  config.width = size.width;
  config.ffn_width = size.ffn_width;
  config.layers = size.layers;
  config.heads = size.heads;
  config.kv_heads = size.kv_heads;
  config.head_width = config.width / config.heads;
  config.max_positions = 1024;
  return config;
}

// The rows of one rank; every token but the last of a row is trained.
data::TrainBatch MakeBatch(const Workload& workload, int64_t vocab_size,
                           const collective::Group& group) {
  data::MicroBatch micro_batch;
  micro_batch.segment_offsets = {0};
  const CounterRandom random(1);
  for (int64_t row = group.rank(); row < workload.rows; row += group.world_size()) {
    for (int64_t i = 0; i < workload.context; ++i) {
      const auto id = static_cast<int32_t>(
          random.Below(static_cast<uint64_t>(vocab_size), row * workload.context + i));
      if (i > 0) micro_batch.target_ids_N.push_back(id);
      micro_batch.token_ids_N.push_back(id);
      micro_batch.positions_N.push_back(static_cast<int32_t>(i));
      micro_batch.loss_weights_N.push_back(i + 1 < workload.context ? 1 : 0);
    }
    micro_batch.target_ids_N.push_back(data::kNoTarget);
    micro_batch.segment_offsets.push_back(static_cast<int32_t>(micro_batch.token_count()));
  }
  data::TrainBatch batch;
  batch.global_units = workload.rows * (workload.context - 1);
  batch.global_tokens = workload.rows * workload.context;
  micro_batch.units = micro_batch.segment_count() * (workload.context - 1);
  batch.micro_batches.push_back(std::move(micro_batch));
  return batch;
}

}  // namespace

TrainingFixture::TrainingFixture(const Workload& workload, collective::Group* group)
    : spike_guard_(worker::SpikeGuardOptions()) {
  const model::ModelConfig config = ConfigOf(workload.model);
  model::InitOptions init;
  init.dtype = workload.dtype;
  absl::StatusOr<model::Model> model = model::InitModel(config, init);
  TY_CHECK(model.ok());
  model_ = *std::move(model);
  model::SetRequiresGrad(model_, true);
  auto parameters = worker::ParameterSet::Create(model::Parameters(model_), group, {});
  TY_CHECK(parameters.ok());
  parameters_ = *std::move(parameters);
  objective_ = std::make_unique<worker::LmObjective>(&model_, 0);
  step_ = std::make_unique<worker::Step>(objective_.get(), parameters_.get(), &spike_guard_, group);
  batch_ = MakeBatch(workload, config.vocab_size, *group);
}

worker::StepResult TrainingFixture::RunStep() {
  absl::StatusOr<worker::StepResult> result = step_->Run(batch_, {1e-4, {}});
  if (!result.ok()) Log().error("{}", result.status().ToString());
  TY_CHECK(result.ok());
  return *std::move(result);
}

}  // namespace trainyard::bench
