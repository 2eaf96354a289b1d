#include "bench/publish_model.h"

#include <ATen/ATen.h>

#include <utility>

#include "base/checksum.h"
#include "base/status.h"
#include "model/transformer.h"
#include "model/weights.h"

namespace trainyard {

struct PublishModel::State {
  model::Model model;
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
  return std::unique_ptr<PublishModel>(
      new PublishModel(std::make_unique<State>(State{std::move(model)})));
}

absl::Status PublishModel::Save(const std::string& directory) const {
  return model::SaveModel(state_->model, directory, {}).status();
}

absl::StatusOr<std::shared_ptr<const worker::PublishedWeights>> PublishModel::Publish(
    int64_t version) const {
  auto weights = std::make_shared<worker::PublishedWeights>();
  weights->version = version;
  weights->config_json = model::ConfigJson(state_->model.config, "float32").dump();
  const auto tensors = model::HuggingFaceTensors(state_->model);
  size_t size_bytes = 0;
  for (const auto& tensor : tensors) size_bytes += tensor.tensor.nbytes();
  TY_ASSIGN_OR_RETURN(weights->memory, worker::SharedMemory::Create(size_bytes));
  size_t offset = 0;
  std::string checksums;
  for (const auto& [name, tensor] : tensors) {
    char* const to = weights->memory->data() + offset;
    at::from_blob(to, tensor.sizes(), tensor.options()).copy_(tensor);
    weights->tensors.push_back({.name = name,
                                .dtype = "F32",
                                .shape = tensor.sizes().vec(),
                                .xxh3 = Xxh3Hex(to, tensor.nbytes()),
                                .offset = offset,
                                .size_bytes = tensor.nbytes()});
    checksums += weights->tensors.back().xxh3;
    offset += tensor.nbytes();
  }
  weights->digest = Xxh3Hex(checksums);
  return weights;
}

}  // namespace trainyard
