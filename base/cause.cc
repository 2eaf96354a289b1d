#include "base/cause.h"

#include <string>

#include "absl/strings/cord.h"

namespace trainyard {
namespace {

// A status prints its payloads: "RESOURCE_EXHAUSTED: ... [cause='DISK_FULL']".
constexpr char kPayload[] = "cause";

}  // namespace

absl::Status WithCause(absl::Status status, EndClass cause) {
  if (cause == EndClass::kUnspecified) {
    status.ErasePayload(kPayload);
  } else {
    status.SetPayload(kPayload, absl::Cord(std::string(EndClassName(cause))));
  }
  return status;
}

EndClass CauseOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  return payload.has_value() ? EndClassOfName(std::string(*payload)) : EndClass::kUnspecified;
}

absl::Status DiskFullError(absl::string_view message) {
  return WithCause(absl::ResourceExhaustedError(message), EndClass::kDiskFull);
}

absl::Status OutOfMemoryError(absl::string_view message) {
  return WithCause(absl::ResourceExhaustedError(message), EndClass::kOutOfMemory);
}

absl::Status PeerLostError(absl::string_view message) {
  return WithCause(absl::UnavailableError(message), EndClass::kPeerLost);
}

absl::Status NotFiniteError(absl::string_view message) {
  return WithCause(absl::DataLossError(message), EndClass::kNan);
}

}  // namespace trainyard
