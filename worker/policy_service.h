// PolicyService of a learner rank. gRPC's threads only check, enqueue and wait: everything that
// touches a tensor runs on the compute thread.

#ifndef TRAINYARD_WORKER_POLICY_SERVICE_H_
#define TRAINYARD_WORKER_POLICY_SERVICE_H_

#include <functional>
#include <string>

#include "base/roots.h"
#include "trainyard/v1/policy.grpc.pb.h"
#include "worker/compute_queue.h"
#include "worker/learner.h"
#include "worker/weights_service.h"

namespace trainyard::worker {

// What the service works with; all outlive it.
struct PolicyServiceContext {
  Learner* learner = nullptr;  // used on `compute` alone
  ComputeQueue* compute = nullptr;
  PublishedVersions* versions = nullptr;
  const Roots* roots = nullptr;
  std::string numerics_id;
  // host:port of this rank, known once the server listens.
  std::function<std::string()> endpoint;
  // Sees every minibatch and result: feeds progress and hang detection. Called on `compute`.
  std::function<void(const UpdateInput&, const MinibatchProgress&)> on_progress;
};

class PolicyService final : public v1::PolicyService::Service {
 public:
  explicit PolicyService(PolicyServiceContext context) : context_(std::move(context)) {}

  grpc::Status GetSpec(grpc::ServerContext* context, const v1::GetPolicySpecRequest* request,
                       v1::GetPolicySpecResponse* response) override;
  grpc::Status Score(grpc::ServerContext* context, const v1::PolicyScoreRequest* request,
                     v1::PolicyScoreResponse* response) override;
  // A stream that breaks does not stop the update: the repeat finds its result. An error whose
  // cause is a number that is not finite carries the detail reason NOT_FINITE.
  grpc::Status Update(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::UpdateResponse, v1::UpdateRequest>* stream)
      override;
  grpc::Status Publish(grpc::ServerContext* context, const v1::PublishRequest* request,
                       v1::WeightsManifest* response) override;
  grpc::Status Release(grpc::ServerContext* context, const v1::ReleaseRequest* request,
                       v1::ReleaseResponse* response) override;
  grpc::Status Save(grpc::ServerContext* context, const v1::SaveRequest* request,
                    v1::SaveResponse* response) override;
  grpc::Status Export(grpc::ServerContext* context, const v1::ExportRequest* request,
                      v1::SaveResponse* response) override;

 private:
  using UpdateStream = grpc::ServerReaderWriter<v1::UpdateResponse, v1::UpdateRequest>;

  template <typename T>
  absl::StatusOr<T> OnCompute(grpc::ServerContext* context,
                              std::function<absl::StatusOr<T>()> body);
  absl::StatusOr<v1::UpdateResult> RunUpdate(grpc::ServerContext* context, UpdateStream* stream);

  const PolicyServiceContext context_;
};

// The reason in the error detail of an update that met a number that is not finite.
inline constexpr char kNotFiniteReason[] = "NOT_FINITE";

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_POLICY_SERVICE_H_
