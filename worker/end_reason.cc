#include "worker/end_reason.h"

#include "absl/strings/cord.h"

namespace trainyard::worker {
namespace {

constexpr char kNotFinitePayload[] = "trainyard/not_finite";

}  // namespace

absl::Status NotFiniteError(absl::string_view message) {
  absl::Status status = absl::DataLossError(message);
  status.SetPayload(kNotFinitePayload, absl::Cord("1"));
  return status;
}

EndReason EndReasonOf(const absl::Status& status, const Place& place) {
  EndReason reason;
  reason.end_class =
      status.GetPayload(kNotFinitePayload).has_value() ? EndClass::kNan : EndClassOf(status);
  reason.message = std::string(status.message());
  reason.step = place.step;
  reason.phase = place.phase;
  return reason;
}

}  // namespace trainyard::worker
