// Services of a PPO job that compute nothing, over real gRPC, and a session in memory.

#ifndef TRAINYARD_TESTS_PPO_FAKES_H_
#define TRAINYARD_TESTS_PPO_FAKES_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rpc/server.h"
#include "task/session.h"
#include "trainyard/v1/policy.grpc.pb.h"
#include "trainyard/v1/reward.grpc.pb.h"
#include "trainyard/v1/rollout.grpc.pb.h"

namespace trainyard::ppo {

rpc::JobFence TestFence();

// Peers, stop orders and commits in memory. Guarded.
class FakeSession : public task::TaskSession {
 public:
  void SetPeers(std::vector<task::Peer> peers);
  // Called, under no lock, on each metrics report.
  void OnMetrics(std::function<void(int64_t step)> callback);
  // Answers commits from now on, under no lock. Without it each is acknowledged at once.
  using CommitAnswer =
      std::function<absl::StatusOr<task::CommitResult>(const task::CommitRequest&)>;
  void OnCommit(CommitAnswer answer);
  std::vector<task::CommitRequest> commits() const;
  std::vector<task::Artifact> outputs() const;
  std::map<int64_t, std::map<std::string, double>> metrics() const;
  // Every report, in order.
  std::vector<task::Progress> progress() const;
  // Waits until `phase` was reported.
  bool WaitForPhase(const std::string& phase, absl::Duration timeout) const;

  void Ready(const std::string&, const std::string&) override {}
  void Report(const task::Progress& progress) override;
  void ReportMetrics(int64_t step, const std::map<std::string, double>& values) override;
  task::PeerSnapshot Peers() const override;
  absl::StatusOr<task::PeerSnapshot> WaitForPeers(
      const std::function<bool(const task::PeerSnapshot&)>& predicate,
      absl::Duration timeout) override;
  void OnPeersChanged(std::function<void(const task::PeerSnapshot&)>) override {}
  std::optional<task::StopOrder> StopRequested() const override;
  std::optional<task::StopOrder> WaitForStop(absl::Duration) override { return StopRequested(); }
  void RequestStop(const task::StopOrder& order) override;
  absl::StatusOr<task::CommitResult> CommitCheckpoint(const task::CommitRequest& request,
                                                      absl::Duration timeout) override;
  absl::Status FinishJob(const std::vector<task::Artifact>& outputs, absl::Duration) override;
  absl::Status End(const EndReason&, absl::Duration) override { return absl::OkStatus(); }
  [[noreturn]] void Abort(const EndReason&) override { std::abort(); }

 private:
  mutable absl::Mutex mutex_;
  task::PeerSnapshot peers_ ABSL_GUARDED_BY(mutex_);
  std::vector<task::Progress> progress_ ABSL_GUARDED_BY(mutex_);
  std::optional<task::StopOrder> stop_ ABSL_GUARDED_BY(mutex_);
  std::vector<task::CommitRequest> commits_ ABSL_GUARDED_BY(mutex_);
  std::vector<task::Artifact> outputs_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::map<std::string, double>> metrics_ ABSL_GUARDED_BY(mutex_);
  std::function<void(int64_t)> on_metrics_ ABSL_GUARDED_BY(mutex_);
  CommitAnswer on_commit_ ABSL_GUARDED_BY(mutex_);
};

// A task of a role: a service behind a server of its own.
class FakeTask {
 public:
  FakeTask(const std::string& role, int index, std::vector<grpc::Service*> services);
  // As the coordinator tells it.
  task::Peer peer() const { return peer_; }
  // Dies: calls in progress break.
  void Kill() { server_->Shutdown(absl::ZeroDuration()); }
  void SetNumerics(const std::string& id) { peer_.numerics_id = id; }

 private:
  task::Peer peer_;
  std::unique_ptr<rpc::Server> server_;
};

// Answers are a pure function of (seed, row, sample, version). Behaviour is set before it is used.
class FakeRollout final : public v1::RolloutService::Service {
 public:
  std::atomic<bool> refuse_weights{false};
  std::atomic<bool> breaks{false};  // every stream, after so many answers of all
  std::atomic<int> answers_until_failure{0};
  std::function<void()> on_break;  // called by every stream that breaks; set before it serves

  std::set<std::pair<int64_t, int64_t>> answered() const;  // (row, sample), over all streams
  int64_t version() const { return version_; }
  // Serves this version from now on, whatever the controller thinks.
  void SetVersion(int64_t version) { version_ = version; }
  std::vector<int64_t> loads() const;  // versions that it was asked to load, in order

  grpc::Status Generate(grpc::ServerContext*, const v1::GenerateRequest* request,
                        grpc::ServerWriter<v1::GenerateResponse>* writer) override;
  grpc::Status LoadWeights(grpc::ServerContext*, const v1::LoadWeightsRequest* request,
                           v1::LoadWeightsResponse* response) override;

 private:
  std::atomic<int64_t> version_{-1};
  mutable absl::Mutex mutex_;
  std::set<std::pair<int64_t, int64_t>> answered_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> loads_ ABSL_GUARDED_BY(mutex_);
};

// A score is a pure function of the tokens. `fail` may turn the status of the n-th result given.
class FakeReward final : public v1::RewardService::Service {
 public:
  std::function<v1::ScoreStatus(int64_t row, int attempt)> fail;

  std::vector<std::string> answers() const;  // as they came

  grpc::Status Score(grpc::ServerContext*, const v1::ScoreRequest* request,
                     v1::ScoreResponse* response) override;
  grpc::Status GetSpec(grpc::ServerContext*, const v1::GetRewardSpecRequest*,
                       v1::GetRewardSpecResponse* response) override;

 private:
  mutable absl::Mutex mutex_;
  std::map<int64_t, int> attempts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> answers_ ABSL_GUARDED_BY(mutex_);
};

// Its "weights" are a digest of everything it was ever trained on.
class FakeLearner final : public v1::PolicyService::Service {
 public:
  // Where its root:// lies.
  explicit FakeLearner(std::string root, int rank = 0, int world_size = 1)
      : root_(std::move(root)), rank_(rank), world_size_(world_size) {}
  std::atomic<int> break_updates{0};  // so many streams break after the update was done
  // Called first by every call; what it returns is the answer unless it is OK. Set before it
  // serves, and so is the next.
  std::function<grpc::Status(const std::string& method, grpc::ServerContext* context)> before;
  std::string numerics_id = "cpu";

  std::string weights() const;
  void SetWeights(const std::string& weights);  // other than the other ranks'
  size_t largest_request_bytes() const { return largest_request_bytes_; }  // of updates
  // Takes the state of a checkpoint directory.
  void Restore(const std::string& directory, const std::string& manifest_sha256);

  grpc::Status GetSpec(grpc::ServerContext* context, const v1::GetPolicySpecRequest*,
                       v1::GetPolicySpecResponse* response) override;
  // Reports minibatch `rank` of pass 0, then the result.
  grpc::Status Update(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::UpdateResponse, v1::UpdateRequest>* stream)
      override;
  // -1 for each token of the policy, -1.5 of the reference.
  grpc::Status Score(grpc::ServerContext*, const v1::PolicyScoreRequest* request,
                     v1::PolicyScoreResponse* response) override;
  grpc::Status Publish(grpc::ServerContext*, const v1::PublishRequest* request,
                       v1::WeightsManifest* response) override;
  grpc::Status Release(grpc::ServerContext*, const v1::ReleaseRequest*,
                       v1::ReleaseResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status Save(grpc::ServerContext* context, const v1::SaveRequest* request,
                    v1::SaveResponse* response) override;
  grpc::Status Export(grpc::ServerContext*, const v1::ExportRequest* request,
                      v1::SaveResponse* response) override;

 private:
  grpc::Status Enter(const char* method, grpc::ServerContext* context) const;
  void Write(const std::string& uri, const std::string& name, v1::SaveResponse* response)
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const std::string root_;
  const int rank_;
  const int world_size_;
  std::atomic<size_t> largest_request_bytes_{0};
  mutable absl::Mutex mutex_;
  std::string weights_ ABSL_GUARDED_BY(mutex_) = "start";
  int64_t iteration_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string restored_ ABSL_GUARDED_BY(mutex_);
  std::string last_digest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_TESTS_PPO_FAKES_H_
