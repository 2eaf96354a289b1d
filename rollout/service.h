// RolloutService over an engine loop. Handlers only translate and wait; the engine's thread works.

#ifndef TRAINYARD_ROLLOUT_SERVICE_H_
#define TRAINYARD_ROLLOUT_SERVICE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "rollout/engine_loop.h"
#include "rollout/weights_inbox.h"
#include "rollout/wire.h"
#include "tokenizer/tokenizer.h"
#include "trainyard/v1/rollout.grpc.pb.h"

namespace trainyard::rollout {

// What the server is, for callers that check.
struct RolloutIdentity {
  // Of the model's tokenizer: what it reports, and all names it goes by (its own hash, the SHA-256
  // of tokenizer.json). Empty: the server has no tokenizer and checks nothing.
  std::string tokenizer_hash;
  std::vector<std::string> tokenizer_hashes;
  std::string numerics_id;
  std::string config_json;
  WireDefaults defaults;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;  // of streamed text; null: there is none
};

// Of calls whose client set no deadline.
inline constexpr absl::Duration kDefaultCallTimeout = absl::Minutes(10);

// Guarded; handlers run on gRPC's threads. What it is given must outlive it.
class RolloutService final : public v1::RolloutService::Service {
 public:
  struct Parts {
    EngineLoop* loop = nullptr;
    WeightsInbox* inbox = nullptr;
    WeightsFetcher* fetcher = nullptr;
    const Clock* clock = nullptr;
  };
  RolloutService(const Parts& parts, RolloutIdentity identity)
      : parts_(parts), identity_(std::move(identity)) {}

  // Ends with DEADLINE_EXCEEDED or UNAVAILABLE after the partial trajectories, when samples were
  // cut short by the deadline or a drain; with INTERNAL when a sample could not be computed.
  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        grpc::ServerWriter<v1::GenerateResponse>* writer) override;
  // A manifest that serves already is acknowledged again; an older one is FAILED_PRECONDITION.
  grpc::Status LoadWeights(grpc::ServerContext* context, const v1::LoadWeightsRequest* request,
                           v1::LoadWeightsResponse* response) override
      ABSL_LOCKS_EXCLUDED(loading_mutex_);
  grpc::Status GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest* request,
                          v1::GetVersionResponse* response) override;
  grpc::Status Score(grpc::ServerContext* context, const v1::ScoreTokensRequest* request,
                     v1::ScoreTokensResponse* response) override;
  grpc::Status GetLoad(grpc::ServerContext* context, const v1::GetLoadRequest* request,
                       v1::GetLoadResponse* response) override;
  grpc::Status Drain(grpc::ServerContext* context, const v1::DrainRequest* request,
                     v1::DrainResponse* response) override;

 private:
  struct Stream;

  absl::Status CheckTokenizer(const std::string& hash) const;
  absl::Duration TimeLeft(const grpc::ServerContext& context) const;
  absl::Status Forward(Stream& stream, EngineLoop::Deliveries& deliveries) const;
  absl::Status Load(const WeightsManifest& manifest, absl::Duration timeout,
                    v1::LoadWeightsResponse* response);

  const Parts parts_;
  const RolloutIdentity identity_;
  // Held by the one call that loads; the others are refused, not queued.
  absl::Mutex loading_mutex_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_SERVICE_H_
