// Tensors that published files hold and no model reads. No torch.

#ifndef TRAINYARD_MODEL_IGNORED_TENSORS_H_
#define TRAINYARD_MODEL_IGNORED_TENSORS_H_

#include <string>

#include "model/config.h"

namespace trainyard::model {

// Whether a tensor of this Hugging Face name carries nothing: a copy of the tied head, RoPE
// frequencies, a causal mask. Any other tensor that belongs to no part of a model is an error.
bool MayBeIgnored(const ModelConfig& config, const std::string& name);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_IGNORED_TENSORS_H_
