// The weights of one policy version in the layout the kernels read. Immutable once made.

#ifndef TRAINYARD_ROLLOUT_PACKED_MODEL_H_
#define TRAINYARD_ROLLOUT_PACKED_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "checkpoint/safetensors.h"
#include "kernels/packed_matrix.h"
#include "model/config.h"

namespace trainyard::rollout {

// A tensor under its Hugging Face name. The bytes are the source's.
struct TensorView {
  checkpoint::DType dtype = checkpoint::DType::kF32;
  std::vector<int64_t> shape;
  absl::string_view bytes;  // row-major, little-endian
};

// Where tensors come from: a model directory, or staged pieces.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // NotFound when there is no tensor of this name.
  virtual absl::StatusOr<TensorView> Find(const std::string& name) const = 0;
  // Of every tensor there is.
  virtual std::vector<std::string> Names() const = 0;
  // A part of a tensor's bytes has been packed: where they are a copy of a file's, their memory may
  // be given back (they can be read again). Any thread.
  virtual void Release(const std::string& name, absl::string_view bytes) const {
    static_cast<void>(name);
    static_cast<void>(bytes);
  }
};

// The tensors of a directory's model.safetensors, or of the shards its index lists.
absl::StatusOr<std::unique_ptr<TensorSource>> OpenModelDirectory(const std::string& directory);

struct PackedNorm {
  std::vector<float> weight;
  std::vector<float> bias;  // LayerNorm only
};

// A product and what is added to it; the bias is empty where there is none.
struct PackedLinear {
  kernels::PackedMatrix matrix;
  std::vector<float> bias;
};

struct PackedLayer {
  PackedNorm attention_norm;
  PackedLinear qkv;  // queries, keys, values side by side
  std::vector<float> query_norm, key_norm;  // config.qk_norm
  PackedLinear out;
  PackedNorm mlp_norm;
  PackedLinear up;  // Llama: gate and up side by side
  PackedLinear down;
};

struct PackedModel {
  model::ModelConfig config;
  kernels::WeightType products = kernels::WeightType::kF32;
  int64_t version = 0;
  std::string digest;  // of the published version; empty for a directory
  std::vector<float> token_embedding_VD;     // empty when tied: then it is the head's columns
  std::vector<float> position_embedding_PD;  // GPT-2
  std::vector<PackedLayer> layers;
  PackedNorm final_norm;
  PackedLinear lm_head;
};

struct PackOptions {
  // bf16: the weights of all products (a tied embedding is one) are rounded to it; norms, biases
  // and other embeddings stay fp32.
  kernels::WeightType products = kernels::WeightType::kF32;
  // A model of the same config and products that nobody else uses: its memory takes the new
  // weights, which saves the page faults of fresh memory (half of the time of a 124M model).
  std::shared_ptr<PackedModel> into;
  int threads = 1;  // that convert and pack
};

// Reads and packs every tensor that `config` has (BF16 and F16 sources are widened), a stripe at a
// time: beside the model itself it takes a few MiB. Names may lack the prefix of the base model, as
// in one that was saved alone ("layers.0..." for "model.layers.0..."). InvalidArgument names a
// tensor that is missing, has another shape or an integer type, or belongs to no part of the model;
// a scalar head is refused.
absl::StatusOr<std::shared_ptr<PackedModel>> PackModel(const model::ModelConfig& config,
                                                       const TensorSource& source,
                                                       PackOptions options = {});

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_PACKED_MODEL_H_
