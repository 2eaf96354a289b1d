// What Hugging Face calls our parameters, and how it lays them out.

#ifndef TRAINYARD_MODEL_HUGGING_FACE_NAMES_H_
#define TRAINYARD_MODEL_HUGGING_FACE_NAMES_H_

#include <string>
#include <vector>

#include "model/parameters.h"

namespace trainyard::model {

// "transformer." or "model.": before the names of everything but the heads.
std::string BasePrefix(const ModelConfig& config);

// The model's parameters under Hugging Face's names and shapes, as views of their memory: GPT-2's
// matrices transposed, queries, keys and values apart, gate and up apart. Writing to a view writes
// the parameter. Every parameter must be there (on any device, meta too).
std::vector<NamedTensor> HuggingFaceViews(const Model& model);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_HUGGING_FACE_NAMES_H_
