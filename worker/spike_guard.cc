#include "worker/spike_guard.h"

#include <cmath>

#include "absl/strings/str_format.h"
#include "base/status.h"

namespace trainyard::worker {
namespace {

Json MomentsToJson(const RunningMoments& moments) {
  return Json{{"mean", moments.mean}, {"variance", moments.variance}, {"count", moments.count}};
}

absl::Status RestoreMoments(const JsonReader& reader, absl::string_view field,
                            RunningMoments* moments) {
  TY_ASSIGN_OR_RETURN(const Json* object, reader.Object(field));
  const JsonReader fields(*object, field);
  TY_ASSIGN_OR_RETURN(moments->mean, fields.Double("mean"));
  TY_ASSIGN_OR_RETURN(moments->variance, fields.Double("variance"));
  TY_ASSIGN_OR_RETURN(moments->count, fields.Int("count"));
  return absl::OkStatus();
}

}  // namespace

void RunningMoments::Add(double value, double forget) {
  // The first observations weigh alike, so that the start does not rule for long.
  const double weight = std::max(forget, 1.0 / static_cast<double>(count + 1));
  const double difference = value - mean;
  mean += weight * difference;
  variance = (1 - weight) * (variance + weight * difference * difference);
  ++count;
}

double RunningMoments::ZScore(double value) const {
  return variance > 0 ? (value - mean) / std::sqrt(variance) : 0;
}

SpikeGuard::Verdict SpikeGuard::Judge(double loss, double grad_norm) {
  if (options_.z_limit <= 0) return {};
  const bool judged = loss_.count >= options_.least_history;
  const double loss_z = loss_.ZScore(loss);
  const double norm_z = grad_norm_.ZScore(grad_norm);
  if (judged && consecutive_ < options_.most_consecutive &&
      (loss_z > options_.z_limit || norm_z > options_.z_limit)) {
    ++skipped_;
    ++consecutive_;
    return {true, absl::StrFormat("loss %.4f (z %.1f), gradient norm %.4f (z %.1f), limit %.1f",
                                  loss, loss_z, grad_norm, norm_z, options_.z_limit)};
  }
  consecutive_ = 0;
  loss_.Add(loss, options_.forget);
  grad_norm_.Add(grad_norm, options_.forget);
  return {};
}

Json SpikeGuard::ToJson() const {
  return Json{{"loss", MomentsToJson(loss_)},
              {"grad_norm", MomentsToJson(grad_norm_)},
              {"skipped", skipped_},
              {"consecutive", consecutive_}};
}

absl::Status SpikeGuard::Restore(const Json& state) {
  const JsonReader reader(state, "spike guard state");
  TY_RETURN_IF_ERROR(RestoreMoments(reader, "loss", &loss_));
  TY_RETURN_IF_ERROR(RestoreMoments(reader, "grad_norm", &grad_norm_));
  TY_ASSIGN_OR_RETURN(skipped_, reader.Int("skipped"));
  TY_ASSIGN_OR_RETURN(consecutive_, reader.Int("consecutive"));
  return absl::OkStatus();
}

}  // namespace trainyard::worker
