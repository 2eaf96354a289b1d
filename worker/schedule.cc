#include "worker/schedule.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"

namespace trainyard::worker {
namespace {

absl::Status OutOfLimits(absl::string_view field, double value, absl::string_view limits) {
  return absl::InvalidArgumentError(absl::StrCat("optimizer.", field, " is ", value, ", must be ",
                                                 limits));
}

}  // namespace

absl::StatusOr<ScheduleKind> ScheduleKindFromName(absl::string_view name) {
  static const std::map<std::string, ScheduleKind> kinds = {
      {"constant", ScheduleKind::kConstant},
      {"cosine", ScheduleKind::kCosine},
      {"linear", ScheduleKind::kLinear},
      {"wsd", ScheduleKind::kWsd}};
  const auto found = kinds.find(std::string(name));
  if (found != kinds.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, kind] : kinds) names.push_back(known);
  const std::string nearest = NearestName(name, names);
  return absl::InvalidArgumentError(
      absl::StrCat("optimizer.schedule is \"", name, "\", must be constant, cosine, linear or wsd",
                   nearest.empty() ? "" : absl::StrCat(" (did you mean ", nearest, "?)")));
}

absl::Status Schedule::Validate() const {
  if (!std::isfinite(peak) || peak < 0) return OutOfLimits("lr", peak, "finite and >= 0");
  if (total_steps < 1) return OutOfLimits("total_steps", total_steps, ">= 1");
  if (warmup_steps < 0 || warmup_steps > total_steps) {
    return OutOfLimits("warmup_steps", warmup_steps, absl::StrCat("in 0..", total_steps));
  }
  if (!(final_ratio >= 0 && final_ratio <= 1)) {
    return OutOfLimits("final_ratio", final_ratio, "in 0..1");
  }
  if (!(decay_ratio >= 0 && decay_ratio <= 1)) {
    return OutOfLimits("decay_ratio", decay_ratio, "in 0..1");
  }
  return absl::OkStatus();
}

double Schedule::LearningRate(int64_t step) const {
  if (step < warmup_steps) return peak * static_cast<double>(step + 1) / warmup_steps;
  int64_t decay_begin = warmup_steps;
  if (kind == ScheduleKind::kConstant) return peak;
  if (kind == ScheduleKind::kWsd) {
    const auto decay_steps = static_cast<int64_t>(std::llround(decay_ratio * total_steps));
    decay_begin = std::max(warmup_steps, total_steps - decay_steps);
  }
  if (step < decay_begin) return peak;
  // The last step of the run has the final rate exactly.
  const int64_t span = std::max<int64_t>(total_steps - 1 - decay_begin, 1);
  const double done = std::min(1.0, static_cast<double>(step - decay_begin) / span);
  const double left =
      kind == ScheduleKind::kCosine ? 0.5 * (1 + std::cos(std::numbers::pi * done)) : 1 - done;
  return peak * (final_ratio + (1 - final_ratio) * left);
}

}  // namespace trainyard::worker
