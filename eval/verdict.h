// From measures to a report: values with intervals, paired differences to the baseline, gates.

#ifndef TRAINYARD_EVAL_VERDICT_H_
#define TRAINYARD_EVAL_VERDICT_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "eval/bootstrap.h"
#include "eval/measure.h"

namespace trainyard::eval {

enum class GateOf { kDelta, kRatio, kValue };

// Bounds of one measure. A bound on an interval needs one: corpus measures and plain values (of
// text) have none.
struct Gate {
  std::string metric;
  GateOf of = GateOf::kValue;
  std::optional<double> min, max;
  std::optional<double> ci_low_min, ci_high_max;
};

// A measure by model: parts for an interval, or a plain value.
struct MetricOfModels {
  std::string name;
  std::map<std::string, Measured> by_model;
};

struct VerdictInput {
  std::vector<std::string> models;      // in the order of the spec
  std::optional<std::string> baseline;  // one of them
  std::vector<MetricOfModels> metrics;
  std::vector<Gate> gates;
  BootstrapOptions bootstrap;
};

// {"metrics": [{"name", "models": {NAME: {"value", "ci_low"?, "ci_high"?, "detail"?, "delta"?:
// {...}, "ratio"?: {...}}}}], "gates": [{"metric", "of", "model", "value", "ci_low"?, "ci_high"?,
// "bound", "ok"}], "passed"}. Gates are held by every model but the baseline (by all when there is
// none); a delta or ratio is to the baseline. InvalidArgument: a gate names no metric, asks for a
// delta or ratio without a baseline, or bounds an interval where there is none.
absl::StatusOr<Json> Verdict(const VerdictInput& input);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_VERDICT_H_
