// Adapters on the matrices of a model: made, taken off, merged. See model/adapter.h.
//
// Same thread and exception rules as model/transformer.h.

#ifndef TRAINYARD_MODEL_ADAPTERS_H_
#define TRAINYARD_MODEL_ADAPTERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/adapter_options.h"
#include "model/parameters.h"

namespace trainyard::model {

// The modules of one block that may have an adapter, by their paths in transformers:
// "self_attn.q_proj", ..., "mlp.down_proj".
std::vector<std::string> AdapterModules(const ModelConfig& config);

// Gives `model`, which has none, adapters that change nothing yet: a is U(-1/sqrt(I), 1/sqrt(I)) as
// in PEFT, each number a function of (seed, name, index); b is zero. InvalidArgument names a rank
// out of its limits (1 to the model's width), an alpha that is not a positive number, a target that
// the family lacks (with those that it has).
absl::Status AddAdapters(Model& model, const AdapterOptions& options, uint64_t seed);

bool HasAdapters(const Model& model);

// The model as it was before AddAdapters, sharing every tensor.
Model WithoutAdapters(const Model& model);

// A model without adapters that computes the same: W + scale * b a, summed in fp32 or better and
// rounded to W's type. Matrices without adapters are shared, not copied.
Model MergeAdapters(const Model& model);

// For matrices that are rounded (bfloat16) and published merged: gives `model` matrices of its own
// that hold `base`'s with the updates, as MergeAdapters rounds them. Training then computes with
// the very bits that are published; the factors' gradients are those at these matrices.
// RefreshMerged: whenever the factors have changed; it does nothing to other models.
void HoldMerged(Model& model, const Model& base);
void RefreshMerged(const Model& model, const Model& base);

// TrainingFlopsPerToken of config.h; with adapters without the gradients of frozen matrices.
double FlopsPerToken(const Model& model, int64_t context);

// XXH3-128 over what adapters leave as it is, in forward order: all parameters but the score head.
std::string FrozenDigest(const Model& model);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ADAPTERS_H_
