// Client calls: a deadline on each, fencing metadata, and a budget of retries for idempotent ones.

#ifndef TRAINYARD_RPC_CALL_H_
#define TRAINYARD_RPC_CALL_H_

#include <grpcpp/client_context.h>

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "rpc/fence.h"
#include "rpc/status.h"

namespace trainyard::rpc {

struct CallOptions {
  // Of the call with all its retries. There is no call without a deadline.
  absl::Duration timeout = absl::Seconds(10);
  // Of one try; infinite = what is left of `timeout`.
  absl::Duration try_timeout = absl::InfiniteDuration();
  // Tries after the first, taken on Unavailable (and on a try's own deadline) only. Set it only for
  // idempotent methods.
  int retries = 0;
  absl::Duration first_backoff = absl::Milliseconds(100);
  absl::Duration longest_backoff = absl::Seconds(5);
  // Presented to the server; nothing outside a job.
  std::optional<JobFence> fence;
  // Wait for a connection instead of failing at once when there is none.
  bool wait_for_ready = false;
  // When notified, no further try begins and a wait between tries ends. May be null.
  const absl::Notification* give_up = nullptr;
};

// Sets deadline, wait-for-ready and fencing metadata on a context: for streams, and for calls made
// by hand. `timeout` is the whole stream's.
void PrepareContext(const CallOptions& options, grpc::ClientContext* context);

// Adds the fencing metadata alone.
void AddFence(const JobFence& fence, grpc::ClientContext* context);

// Runs `attempt` (one try: it gets a prepared, fresh context) until it succeeds, fails for good, or
// the budget or the time is spent. The last error says how many tries were made.
absl::Status CallWithRetries(const CallOptions& options,
                             const std::function<grpc::Status(grpc::ClientContext*)>& attempt);

// One unary call:
//   rpc::Call(*stub, &JobService::Stub::GetJob, request, {.timeout = absl::Seconds(5)})
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request, const CallOptions& options) {
  Response response;
  const absl::Status status = CallWithRetries(options, [&](grpc::ClientContext* context) {
    response.Clear();
    return (stub.*method)(context, request, &response);
  });
  if (!status.ok()) return status;
  return response;
}

}  // namespace trainyard::rpc

#endif  // TRAINYARD_RPC_CALL_H_
