// Models as Hugging Face directories: config.json, model.safetensors (or shards with an index),
// generation_config.json, and beside them what `transformers` does not know (trainyard.json).
// Tokenizer files are the caller's to copy. No pickle is ever read.

#ifndef TRAINYARD_MODEL_WEIGHTS_H_
#define TRAINYARD_MODEL_WEIGHTS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/safetensors.h"
#include "model/transformer.h"

namespace trainyard::model {

// What is stored with a trained model, in trainyard.json and in the safetensors metadata.
struct ModelCard {
  std::string tokenizer_sha256;          // of tokenizer.json; empty: unknown
  std::string training_manifest_sha256;  // of the checkpoint it was taken from; empty: unknown
  // Reward models: scores of a reference set; a normalised score is (score - mean) / deviation.
  struct Normalisation {
    double mean = 0.0;
    double deviation = 1.0;
    int64_t samples = 0;
  };
  std::optional<Normalisation> normalisation;
};

struct LoadOptions {
  std::optional<at::ScalarType> dtype;  // none: the widest of the files; fp32 for half precision
  at::Device device = at::kCPU;
  std::optional<Head> head;  // refuse a model with another head
};

struct LoadedModel {
  Model model;
  ModelCard card;
  std::vector<std::string> ignored;  // see ParsedConfig
};

// Reads a directory. InvalidArgument names the file and the tensor for a missing, extra, mis-shaped
// or integer-typed one; for the files see checkpoint/tensor_directory.h. Parameters do not require
// gradients.
absl::StatusOr<LoadedModel> LoadModel(const std::string& directory, const LoadOptions& options);

// Only the card: a default one when there is no trainyard.json.
absl::StatusOr<ModelCard> ReadModelCard(const std::string& directory);

// Writes it into a directory that lacks one.
absl::StatusOr<checkpoint::FileRecord> WriteModelCard(const ModelCard& card,
                                                      const std::string& directory);

struct SaveOptions {
  ModelCard card;
  uint64_t max_shard_bytes = uint64_t{5} << 30;
};

// Writes the files into `directory`, which exists; a file that is there already is AlreadyExists.
// Returns the records of all files written, fsynced, for a manifest.
absl::StatusOr<std::vector<checkpoint::FileRecord>> SaveModel(const Model& model,
                                                              const std::string& directory,
                                                              const SaveOptions& options);

// The model's tensors under Hugging Face's names and shapes: views (GPT-2's matrices transposed,
// the fused ones cut), in a fixed order.
std::vector<NamedTensor> HuggingFaceTensors(const Model& model);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_WEIGHTS_H_
