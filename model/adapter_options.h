// What adapters are asked for. No torch.

#ifndef TRAINYARD_MODEL_ADAPTER_OPTIONS_H_
#define TRAINYARD_MODEL_ADAPTER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace trainyard::model {

struct AdapterOptions {
  int64_t rank = 0;
  double alpha = 0;  // an update is scaled by alpha / rank; 0: alpha = rank
  // Modules by their names in transformers: "q_proj", "attn.c_proj" (the other "c_proj" is left
  // alone), or "all-linear" by itself. Empty: queries and values ("c_attn" of GPT-2).
  std::vector<std::string> targets;
};

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ADAPTER_OPTIONS_H_
