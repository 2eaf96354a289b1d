// absl::Status <-> grpc::Status. Nothing else in the project knows grpc::Status's codes.

#ifndef TRAINYARD_RPC_STATUS_H_
#define TRAINYARD_RPC_STATUS_H_

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace trainyard::rpc {

struct FieldViolation {
  // Path in the spec: "sft.optimizer.lr".
  std::string field;
  std::string message;
};

// What a program can read in an error. Mirrors coordinator.proto's ErrorDetail.
struct ErrorDetail {
  // Upper-case word: "SPEC_INVALID", "NO_SUCH_JOB".
  std::string reason;
  std::vector<FieldViolation> violations;
  // Zero = do not retry.
  absl::Duration retry_after = absl::ZeroDuration();
  // What the reader can do now.
  std::string remedy;
};

// `status` carrying `detail` as payload. OK stays OK.
absl::Status WithDetail(absl::Status status, const ErrorDetail& detail);

// The detail a status carries, if any.
std::optional<ErrorDetail> DetailOf(const absl::Status& status);

// The status to answer a call with. A detail goes to the trailing metadata "trainyard-error-bin" of
// `context`. Messages longer than 4 KiB are cut: headers have a limit.
grpc::Status ToGrpc(const absl::Status& status, grpc::ServerContextBase* context);

// The same without a detail.
grpc::Status ToGrpc(const absl::Status& status);

// What a call ended with, its detail included; Unavailable names a lost peer as its cause
// (base/cause.h). Only after the call has finished.
absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace trainyard::rpc

#endif  // TRAINYARD_RPC_STATUS_H_
