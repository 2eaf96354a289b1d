// What an optimizer is told. No torch.

#ifndef TRAINYARD_WORKER_OPTIMIZER_OPTIONS_H_
#define TRAINYARD_WORKER_OPTIMIZER_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

namespace trainyard::worker {

// Overrides for the parameters whose whole name matches `pattern` (ECMAScript regular expression).
struct ParameterGroup {
  std::string pattern;
  std::optional<double> lr_scale;
  std::optional<double> weight_decay;
};

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;           // of matrices; tensors of fewer than 2 dimensions: 0
  std::vector<ParameterGroup> groups;  // first match wins
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_OPTIMIZER_OPTIONS_H_
