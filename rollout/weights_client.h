// Pulls published weights from the learners' WeightsService: through shared memory on the same
// host, else in streams of chunks. No torch.

#ifndef TRAINYARD_ROLLOUT_WEIGHTS_CLIENT_H_
#define TRAINYARD_ROLLOUT_WEIGHTS_CLIENT_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rollout/weights_inbox.h"
#include "rpc/fence.h"

namespace grpc {
class Channel;
}

namespace trainyard::rollout {

struct WeightsClientOptions {
  std::optional<rpc::JobFence> fence;  // presented with each call
  std::string host_token;              // of this host; empty: shared memory is not tried
};

// Owned by one thread at a time. Channels to sources are kept, and so are the mappings of the last
// shared memory: a learner publishes in the same memory again and again. It may be read, under a
// shared flock(2), until what OpenShared returned is destroyed.
class WeightsClient : public WeightsFetcher {
 public:
  explicit WeightsClient(WeightsClientOptions options) : options_(std::move(options)) {}

  // Null when the manifest has several sources, the source is on another host or shares nothing.
  absl::StatusOr<std::unique_ptr<SharedBytes>> OpenShared(const WeightsManifest& manifest,
                                                          absl::Time deadline) override;
  absl::Status Fetch(const WeightsManifest& manifest, int source_rank,
                     absl::Span<const WeightsRange> ranges, WeightsSink& sink,
                     absl::Time deadline) override;

 private:
  class MappedObject;
  class LockedBytes;

  // Errors of shm_open and mmap; DataLoss when the object is smaller.
  absl::StatusOr<std::shared_ptr<MappedObject>> Map(const std::string& name, size_t size_bytes);
  std::shared_ptr<grpc::Channel> ChannelTo(const std::string& endpoint);

  const WeightsClientOptions options_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::shared_ptr<MappedObject>> mapped_;  // oldest first
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_WEIGHTS_CLIENT_H_
