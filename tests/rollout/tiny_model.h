// Small models with random weights, made in memory.

#ifndef TRAINYARD_TESTS_ROLLOUT_TINY_MODEL_H_
#define TRAINYARD_TESTS_ROLLOUT_TINY_MODEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rollout/packed_model.h"
#include "rollout/weights_inbox.h"

namespace trainyard::rollout {

model::ModelConfig TinyLlama();
model::ModelConfig TinyGpt2();

// All tensors of a model under their Hugging Face names, fp32, a function of (config, seed).
class MemoryWeights : public TensorSource {
 public:
  MemoryWeights(const model::ModelConfig& config, uint64_t seed);

  absl::StatusOr<TensorView> Find(const std::string& name) const override;
  std::vector<std::string> Names() const override;

  struct Tensor {
    std::vector<int64_t> shape;
    std::vector<float> values;
    absl::string_view bytes() const {
      return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
    }
  };
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  std::map<std::string, Tensor>& tensors() { return tensors_; }

 private:
  void AddLayer(const model::ModelConfig& config, int64_t layer);
  void AddMatrix(const std::string& name, std::vector<int64_t> shape);
  void AddNorm(const std::string& name, int64_t size, bool bias);

  const uint64_t seed_;
  std::map<std::string, Tensor> tensors_;
};

// The packed model of MemoryWeights(config, seed).
std::shared_ptr<const PackedModel> TinyPacked(const model::ModelConfig& config, uint64_t seed,
                                              int64_t version = 0,
                                              kernels::WeightType products =
                                                  kernels::WeightType::kF32);

// Writes MemoryWeights(config, seed) as a model directory (config.json, model.safetensors).
void WriteModelDirectory(const model::ModelConfig& config, uint64_t seed,
                         const std::string& directory);

// The manifest of weights published from one source, and all their bytes back to back.
struct Published {
  WeightsManifest manifest;
  std::string bytes;
};
Published Publish(const model::ModelConfig& config, uint64_t seed, int64_t version);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_TESTS_ROLLOUT_TINY_MODEL_H_
