// A model that a generate job serves: the job, the calls, its end.

#ifndef TRAINYARD_CLI_SERVED_MODEL_H_
#define TRAINYARD_CLI_SERVED_MODEL_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cli/client.h"
#include "trainyard/v1/config.pb.h"
#include "trainyard/v1/rollout.grpc.pb.h"

namespace trainyard::cli {

// One thread, but for Interrupt. The client must outlive it.
class ServedModel {
 public:
  // Submits a job that serves `model`, and waits until it does; its progress goes to standard
  // error, where the job is named. Cancelled: a stop signal came meanwhile (which must be blocked:
  // base/shutdown.h). FailedPrecondition: the job ended instead, and how. DeadlineExceeded: it took
  // more than 10 minutes. Whatever fails, the job is cancelled.
  static absl::StatusOr<std::unique_ptr<ServedModel>> Start(Client& client,
                                                            const v1::FileRef& model);
  // Cancels the job; a failure is told on standard error.
  ~ServedModel();
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  // Draws one answer. `on_delta` gets what it gains, as it comes, from servers that stream.
  // Cancelled: Interrupt was called. Unavailable: no rollout task can be reached from here, or the
  // one that answered was lost; says which. FailedPrecondition: the job is over. An answer that was
  // lost before anything of it came is drawn again.
  absl::StatusOr<v1::Trajectory> Generate(
      const v1::GenerateRequest& request,
      const std::function<void(const v1::TokenDelta&)>& on_delta);

  // Ends the call that is being made. Any thread.
  void Interrupt() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  ServedModel(Client& client, const std::string& job) : client_(client), job_(job) {}
  // `is_over` waits a moment, and tells whether to give up.
  absl::Status WaitUntilServed(const std::function<bool()>& is_over);
  // Whether Interrupt is called within a moment.
  bool IsInterrupted() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<v1::Trajectory> Draw(const v1::GenerateRequest& request,
                                      const std::string& endpoint,
                                      const std::function<void(const v1::TokenDelta&)>& on_delta)
      ABSL_LOCKS_EXCLUDED(mutex_);

  Client& client_;
  const std::string job_;
  v1::GetServingResponse serving_;
  absl::Mutex mutex_;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_SERVED_MODEL_H_
