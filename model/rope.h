// Rotary position embeddings (RoFormer, arXiv:2104.09864): the frequencies, and how they are
// stretched to contexts longer than that of pretraining. From and to a Hugging Face config.json. No
// torch.

#ifndef TRAINYARD_MODEL_ROPE_H_
#define TRAINYARD_MODEL_ROPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/json.h"

namespace trainyard::model {

// kLinear: all frequencies divided (arXiv:2306.15595). kLlama3: the low ones divided, the high ones
// kept, the others between (Llama 3.1). kYarn: a ramp over the dimensions (arXiv:2309.00071).
enum class RopeType { kDefault, kLinear, kLlama3, kYarn };

struct RopeScaling {
  RopeType type = RopeType::kDefault;
  double factor = 1.0;                 // > 0
  int64_t original_positions = 0;      // kLlama3, kYarn: the context of pretraining
  double low_frequency_factor = 1.0;   // kLlama3; below the high one
  double high_frequency_factor = 4.0;  // kLlama3
  double beta_fast = 32.0;             // kYarn: rotations in the context where the ramp begins
  double beta_slow = 1.0;              // kYarn: and where it ends
  bool truncate = true;                // kYarn: the ramp begins and ends at whole dimensions
  double attention_factor = 1.0;       // kYarn: cosines and sines are multiplied by it
  bool operator==(const RopeScaling&) const = default;
};

struct Rope {
  double theta = 10000.0;
  RopeScaling scaling;
};

// What a config.json says in `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling`
// (4; it goes first where both are given, as in transformers). `max_positions` stands for an absent
// original context. InvalidArgument names the document, the field and what is supported. Keys of
// the object that its type does not read are added to `ignored`, one line each.
absl::StatusOr<Rope> ParseRope(const Json& json, absl::string_view document, int64_t max_positions,
                               std::vector<std::string>* ignored);

// Writes both forms.
void WriteRope(const Rope& rope, Json* json);

// InvalidArgument names the number and the rule.
absl::Status ValidateRope(const Rope& rope);

// Turns theta^(2i / E), i < E / 2, into the frequencies, in place: in fp32, by the operations of
// transformers in its order, so that the same powers give the same bits.
void RopeFrequencies(const Rope& rope, absl::Span<float> powers);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ROPE_H_
