#include "rpc/status.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/cause.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::rpc {
namespace {

constexpr char kDetailType[] = "type.googleapis.com/trainyard.v1.ErrorDetail";
constexpr char kDetailKey[] = "trainyard-error-bin";
constexpr size_t kLongestMessage = 4096;
// Headers together have a limit of 8 KiB; a detail beyond its share is left out.
constexpr size_t kLongestDetail = 3072;

// The two enums have the same numbers.
static_assert(static_cast<int>(absl::StatusCode::kUnauthenticated) ==
              static_cast<int>(grpc::StatusCode::UNAUTHENTICATED));

}  // namespace

absl::Status WithDetail(absl::Status status, const ErrorDetail& detail) {
  v1::ErrorDetail wire;
  wire.set_reason(detail.reason);
  for (const FieldViolation& violation : detail.violations) {
    v1::FieldViolation* added = wire.add_violations();
    added->set_field(violation.field);
    added->set_message(violation.message);
  }
  wire.set_retry_after_seconds(absl::ToDoubleSeconds(detail.retry_after));
  wire.set_remedy(detail.remedy);
  status.SetPayload(kDetailType, absl::Cord(wire.SerializeAsString()));
  return status;
}

std::optional<ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kDetailType);
  v1::ErrorDetail wire;
  if (!payload || !wire.ParseFromString(std::string(*payload))) return std::nullopt;
  ErrorDetail detail;
  detail.reason = wire.reason();
  for (const v1::FieldViolation& violation : wire.violations()) {
    detail.violations.push_back({violation.field(), violation.message()});
  }
  detail.retry_after = absl::Seconds(wire.retry_after_seconds());
  detail.remedy = wire.remedy();
  return detail;
}

grpc::Status ToGrpc(const absl::Status& status, grpc::ServerContextBase* context) {
  const auto payload = status.GetPayload(kDetailType);
  if (payload && payload->size() <= kLongestDetail) {
    context->AddTrailingMetadata(kDetailKey, std::string(*payload));
  }
  return ToGrpc(status);
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message());
  if (message.size() > kLongestMessage) {
    message.resize(kLongestMessage);
    absl::StrAppend(&message, "... (cut)");
  }
  return {static_cast<grpc::StatusCode>(status.code()), message};
}

absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  absl::Status converted(static_cast<absl::StatusCode>(status.error_code()),
                         status.error_message());
  const auto& trailing = context.GetServerTrailingMetadata();
  if (const auto found = trailing.find(kDetailKey); found != trailing.end()) {
    converted.SetPayload(
        kDetailType, absl::Cord(absl::string_view(found->second.data(), found->second.size())));
  }
  return absl::IsUnavailable(converted) ? WithCause(converted, EndClass::kPeerLost) : converted;
}

}  // namespace trainyard::rpc
