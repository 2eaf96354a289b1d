// Published versions of the policy, and the service that hands them out.

#ifndef TRAINYARD_WORKER_WEIGHTS_SERVICE_H_
#define TRAINYARD_WORKER_WEIGHTS_SERVICE_H_

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "trainyard/v1/weights.grpc.pb.h"
#include "worker/published_weights.h"

namespace trainyard::worker {

// The snapshots that rollout tasks may still read. Guarded.
class PublishedVersions {
 public:
  // The first snapshot of a version stays: a repeat is the same weights.
  void Add(std::shared_ptr<const PublishedWeights> weights) ABSL_LOCKS_EXCLUDED(mutex_);
  // NotFound says which versions there are.
  absl::StatusOr<std::shared_ptr<const PublishedWeights>> Find(int64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets `version` and all before it. Who reads one keeps it until the end of the call.
  void Release(int64_t version) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::map<int64_t, std::shared_ptr<const PublishedWeights>> versions_ ABSL_GUARDED_BY(mutex_);
};

// Serves snapshots from gRPC's own threads; never touches a live tensor.
class WeightsService final : public v1::WeightsService::Service {
 public:
  // `versions` outlives the service.
  explicit WeightsService(const PublishedVersions* versions) : versions_(versions) {}

  // Chunks of up to 1 MiB. OUT_OF_RANGE names a range that is not within its tensor.
  grpc::Status Fetch(grpc::ServerContext* context, const v1::FetchWeightsRequest* request,
                     grpc::ServerWriter<v1::WeightsChunk>* writer) override;
  grpc::Status OpenShared(grpc::ServerContext* context, const v1::OpenSharedRequest* request,
                          v1::SharedWeights* response) override;

 private:
  const PublishedVersions* const versions_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_WEIGHTS_SERVICE_H_
