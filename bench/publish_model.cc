#include "bench/publish_model.h"

#include <utility>

#include "base/status.h"
#include "model/transformer.h"
#include "model/weights.h"
#include "worker/weights_snapshot.h"

namespace trainyard {

struct PublishModel::State {
  model::Model model;
  worker::SnapshotMemory memory;
};

PublishModel::PublishModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
PublishModel::~PublishModel() = default;

absl::StatusOr<std::unique_ptr<PublishModel>> PublishModel::Create() {
  model::ModelConfig config;
  config.family = model::Family::kGpt2;
  config.model_type = "gpt2";
  config.vocab_size = 50257;
  config.width = 768;
  config.ffn_width = 3072;
  config.layers = config.heads = config.kv_heads = 12;
  config.head_width = 64;
  config.max_positions = 1024;
  TY_ASSIGN_OR_RETURN(model::Model model, model::InitModel(config, {.seed = 1}));
  auto state = std::make_unique<State>();
  state->model = std::move(model);
  return std::unique_ptr<PublishModel>(new PublishModel(std::move(state)));
}

absl::Status PublishModel::Save(const std::string& directory) const {
  return model::SaveModel(state_->model, directory, {}).status();
}

absl::StatusOr<std::shared_ptr<const worker::PublishedWeights>> PublishModel::Publish(
    int64_t version) const {
  TY_ASSIGN_OR_RETURN(
      const auto weights,
      worker::SnapshotWeights(model::HuggingFaceTensors(state_->model), state_->memory));
  weights->version = version;
  weights->config_json = model::ConfigJson(state_->model.config, "float32").dump();
  return weights;
}

}  // namespace trainyard
