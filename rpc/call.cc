#include "rpc/call.h"

#include <grpcpp/completion_queue.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::rpc {
namespace {

// How soon a wait sees that its caller gave up.
constexpr absl::Duration kLook = absl::Milliseconds(50);

void Prepare(const CallOptions& options, absl::Duration timeout, grpc::ClientContext* context) {
  context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  context->set_wait_for_ready(options.wait_for_ready);
  if (options.fence) AddFence(*options.fence, context);
}

bool MayTryAgain(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

// False when the caller gave up meanwhile. Waits in an empty completion queue: gRPC looks at
// sockets only while somebody waits in one, and a connection must be able to come back between two
// tries.
bool WaitBetweenTries(const CallOptions& options, absl::Duration delay) {
  const auto gave_up = [&] {
    return options.give_up != nullptr && options.give_up->HasBeenNotified();
  };
  grpc::CompletionQueue nothing;
  const absl::Time end = absl::Now() + delay;
  while (!gave_up() && absl::Now() < end) {
    void* tag = nullptr;
    bool ok = false;
    nothing.AsyncNext(&tag, &ok, absl::ToChronoTime(std::min(end, absl::Now() + kLook)));
  }
  nothing.Shutdown();
  return !gave_up();
}

}  // namespace

void PrepareContext(const CallOptions& options, grpc::ClientContext* context) {
  Prepare(options, options.timeout, context);
}

void AddFence(const JobFence& fence, grpc::ClientContext* context) {
  context->AddMetadata(kJobKey, fence.job_id);
  context->AddMetadata(kEpochKey, absl::StrCat(fence.epoch));
  context->AddMetadata(kSecretKey, fence.secret);
}

absl::Status CallWithRetries(const CallOptions& options,
                             const std::function<grpc::Status(grpc::ClientContext*)>& attempt) {
  const Clock& clock = Clock::Real();
  const absl::Duration end = clock.Monotonic() + options.timeout;
  Backoff backoff(options.first_backoff, options.longest_backoff, EntropyBits());
  for (int tries = 1;; ++tries) {
    grpc::ClientContext context;
    const absl::Duration left = std::max(end - clock.Monotonic(), absl::ZeroDuration());
    Prepare(options, std::min(left, options.try_timeout), &context);
    const absl::Status status = FromGrpc(attempt(&context), context);
    if (status.ok() || !MayTryAgain(status) || options.retries == 0) return status;
    const absl::Duration delay = backoff.Next();
    const bool spent = tries > options.retries || clock.Monotonic() + delay >= end;
    if (spent || !WaitBetweenTries(options, delay)) {
      return Annotate(status, absl::StrCat("gave up after ", tries, " tries"));
    }
  }
}

}  // namespace trainyard::rpc
