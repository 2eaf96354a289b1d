#include "worker/parameter_set.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"

namespace trainyard::worker {

ParameterSet::ParameterSet(const NamedTensors& parameters, collective::Group* group,
                           const ParameterSetOptions& options, std::unique_ptr<AdamW> optimizer)
    : parameters_(parameters),
      options_(options),
      reducer_(parameters, group, options.bucket_bytes),
      optimizer_(std::move(optimizer)) {}

absl::StatusOr<std::unique_ptr<ParameterSet>> ParameterSet::Create(
    const NamedTensors& parameters, collective::Group* group, const ParameterSetOptions& options) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<AdamW> optimizer, AdamW::Create(parameters, options.adamw));
  return std::unique_ptr<ParameterSet>(
      new ParameterSet(parameters, group, options, std::move(optimizer)));
}

absl::StatusOr<double> ParameterSet::Finish(double global_units) {
  TY_CHECK(global_units > 0);
  c10::NoGradGuard no_grad;
  TY_RETURN_IF_ERROR(reducer_.Wait());
  double squares = 0;
  for (const at::Tensor& bucket : reducer_.buckets()) {
    const double norm = at::linalg_vector_norm(bucket, 2).item<double>() / global_units;
    squares += norm * norm;
  }
  const double norm = std::sqrt(squares);
  if (!std::isfinite(norm)) return NotFinite();
  double scale = 1 / global_units;
  if (options_.clip_norm > 0 && norm > options_.clip_norm) scale *= options_.clip_norm / norm;
  for (const at::Tensor& bucket : reducer_.buckets()) bucket.mul_(scale);
  return norm;
}

absl::Status ParameterSet::NotFinite() const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const int64_t bad =
        at::isfinite(reducer_.gradients()[i]).logical_not().sum().item<int64_t>();
    if (bad == 0) continue;
    return NotFiniteError(absl::StrCat(
        options_.name, ": the gradient of ", parameters_[i].name, " has ", bad, " of ",
        parameters_[i].tensor.numel(), " values that are not finite"));
  }
  return NotFiniteError(
      absl::StrCat(options_.name, ": the gradient norm is not finite, though every value is"));
}

}  // namespace trainyard::worker
