#include "base/cause.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace trainyard {
namespace {

constexpr char kPayload[] = "trainyard/cause";

}  // namespace

absl::Status WithCause(absl::Status status, EndClass cause) {
  if (cause == EndClass::kUnspecified) {
    status.ErasePayload(kPayload);
  } else {
    status.SetPayload(kPayload, absl::Cord(absl::StrCat(static_cast<int>(cause))));
  }
  return status;
}

EndClass CauseOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  int number = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &number)) {
    return EndClass::kUnspecified;
  }
  return static_cast<EndClass>(number);
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
