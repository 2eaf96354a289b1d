// Adapters as a directory of PEFT: adapter_config.json and adapter_model.safetensors, which
// `peft.PeftModel.from_pretrained` puts on the base model.

#ifndef TRAINYARD_MODEL_ADAPTER_FILES_H_
#define TRAINYARD_MODEL_ADAPTER_FILES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "model/adapter_options.h"
#include "model/parameters.h"
#include "model/weights.h"

namespace trainyard::model {

// What is trained beside the frozen model under PEFT's names, the very tensors: "base_model.model."
// before "model.layers.0.self_attn.q_proj.lora_A.weight" or "score.weight".
std::vector<NamedTensor> PeftTensors(const Model& model);

// The adapter_config.json of a model with adapters; `base_model`: the directory that they go on, as
// its reader will know it.
Json PeftConfig(const Model& model, const std::string& base_model);

struct SaveAdapterOptions {
  std::string base_model;
  ModelCard card;  // written beside them as trainyard.json
};

// Writes the files into `directory`, which exists; a file that is there already is AlreadyExists.
// Returns their records, fsynced, for a manifest.
absl::StatusOr<std::vector<checkpoint::FileRecord>> SaveAdapter(const Model& model,
                                                                const std::string& directory,
                                                                const SaveAdapterOptions& options);

// What a checkpoint says of the adapters in it, under this name; null without adapters.
// `base_digest`: over the weights they go on.
inline constexpr char kAdapterRecord[] = "lora";
Json AdapterRecord(const std::optional<AdapterOptions>& options, const std::string& base_digest);

// FailedPrecondition when a checkpoint's `sections` record other adapters than `own`, an
// AdapterRecord. `frozen` names the weights that the digest is of.
absl::Status CheckAdapterRecord(const Json& sections, const Json& own, absl::string_view frozen);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ADAPTER_FILES_H_
