// A learner's WeightsService that publishes what a test gives it.

#ifndef TRAINYARD_TESTS_ROLLOUT_FAKE_WEIGHTS_SERVICE_H_
#define TRAINYARD_TESTS_ROLLOUT_FAKE_WEIGHTS_SERVICE_H_

#include <atomic>
#include <memory>
#include <string>

#include "rpc/server.h"
#include "tests/rollout/tiny_model.h"
#include "trainyard/v1/rollout.pb.h"
#include "trainyard/v1/weights.grpc.pb.h"

namespace trainyard::rollout {

class FakeWeightsService final : public v1::WeightsService::Service {
 public:
  // Shared: the bytes are in POSIX shared memory too, removed in the end.
  FakeWeightsService(Published published, bool shared);
  ~FakeWeightsService() override;

  // The manifest, with this service as its source.
  v1::WeightsManifest Manifest() const;
  std::string endpoint() const { return server_->endpoint(); }
  // Changes one byte of what is published, in all its copies.
  void FlipByte(size_t offset);
  // Keeps readers of the shared memory out until it is destroyed; null while one reads.
  std::unique_ptr<int, void (*)(int*)> StartWriting() const;
  bool CanWrite() const { return StartWriting() != nullptr; }
  int64_t streamed_bytes() const { return streamed_bytes_; }
  int shared_calls() const { return shared_calls_; }

  grpc::Status Fetch(grpc::ServerContext* context, const v1::FetchWeightsRequest* request,
                     grpc::ServerWriter<v1::WeightsChunk>* writer) override;
  grpc::Status OpenShared(grpc::ServerContext* context, const v1::OpenSharedRequest* request,
                          v1::SharedWeights* response) override;

 private:
  Published published_;
  std::string shm_name_;
  char* shared_ = nullptr;
  std::atomic<int64_t> streamed_bytes_{0};
  std::atomic<int> shared_calls_{0};
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_TESTS_ROLLOUT_FAKE_WEIGHTS_SERVICE_H_
