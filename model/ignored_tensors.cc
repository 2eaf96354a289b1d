#include "model/ignored_tensors.h"

#include "absl/strings/match.h"

namespace trainyard::model {

bool MayBeIgnored(const ModelConfig& config, const std::string& name) {
  if (absl::EndsWith(name, ".rotary_emb.inv_freq")) return true;
  if (absl::EndsWith(name, "lm_head.weight")) {
    return config.tied_head && config.head == Head::kLm;
  }
  return config.family == Family::kGpt2 &&
         (absl::EndsWith(name, ".attn.bias") || absl::EndsWith(name, ".attn.masked_bias"));
}

}  // namespace trainyard::model
