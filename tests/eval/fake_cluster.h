// Rollout and reward tasks, a session and a model directory that the tests of eval/ drive.

#ifndef TRAINYARD_TESTS_EVAL_FAKE_CLUSTER_H_
#define TRAINYARD_TESTS_EVAL_FAKE_CLUSTER_H_

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "eval/eval_job.h"
#include "rpc/server.h"
#include "task/session.h"
#include "tokenizer/tokenizer.h"
#include "trainyard/v1/reward.grpc.pb.h"
#include "trainyard/v1/rollout.grpc.pb.h"

namespace trainyard::eval {

inline const rpc::JobFence kTestFence = {"job", 3, std::string(64, 'a')};

// Answers with `word` repeated (row + sample) % 3 + 1 times and the end token, log-prob -1 a token.
class FakeRollout : public v1::RolloutService::Service {
 public:
  FakeRollout(const tokenizer::Tokenizer& tokenizer, std::string word)
      : tokenizer_(tokenizer), word_(std::move(word)) {}
  ~FakeRollout() override;  // lets go of the calls that wait for a look

  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        grpc::ServerWriter<v1::GenerateResponse>* writer) override;
  // Busy, and at another rate, as often as the fields below say.
  grpc::Status GetLoad(grpc::ServerContext* context, const v1::GetLoadRequest* request,
                       v1::GetLoadResponse* response) override;
  // -0.5 a token with masks, -0.25 without.
  grpc::Status Score(grpc::ServerContext* context, const v1::ScoreTokensRequest* request,
                     v1::ScoreTokensResponse* response) override;

  // Streams end with `status` after so many answers more; -1: never.
  std::atomic<int> answers_left{-1};
  grpc::Status failure = grpc::Status(grpc::StatusCode::UNAVAILABLE, "killed");
  std::atomic<int> answers_given{0};
  // No answer before GetLoad was called so often.
  int looks_before_answers = 0;
  // GetLoad: another rate each time (the first so many), or always the same...
  bool rate_changes = true;
  int looks_with_new_rate = std::numeric_limits<int>::max();
  // ...and a sequence that runs, the first so many times.
  int busy_looks = std::numeric_limits<int>::max();
  int looks() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return looks_;
  }

  // Of the call that came last.
  v1::SamplingParameters sampling() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return sampling_;
  }

 private:
  const tokenizer::Tokenizer& tokenizer_;
  const std::string word_;
  mutable absl::Mutex mutex_;
  v1::SamplingParameters sampling_ ABSL_GUARDED_BY(mutex_);
  int looks_ ABSL_GUARDED_BY(mutex_) = 0;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

// Scores an answer by its number of tokens; refuses rows in `refused_rows`.
class FakeReward : public v1::RewardService::Service {
 public:
  grpc::Status Score(grpc::ServerContext* context, const v1::ScoreRequest* request,
                     v1::ScoreResponse* response) override;
  std::vector<int64_t> refused_rows;
  std::string last_reference;
};

// Peers as the test sets them; what the task says is kept.
class FakeSession : public task::TaskSession {
 public:
  void SetPeers(std::vector<task::Peer> peers) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<task::Artifact> finished() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool is_finished() const ABSL_LOCKS_EXCLUDED(mutex_);

  void Ready(const std::string&, const std::string&) override {}
  void Report(const task::Progress&) override {}
  void ReportMetrics(int64_t, const std::map<std::string, double>&) override {}
  task::PeerSnapshot Peers() const override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<task::PeerSnapshot> WaitForPeers(
      const std::function<bool(const task::PeerSnapshot&)>& predicate,
      absl::Duration timeout) override;
  void OnPeersChanged(std::function<void(const task::PeerSnapshot&)>) override {}
  std::optional<task::StopOrder> StopRequested() const override { return std::nullopt; }
  std::optional<task::StopOrder> WaitForStop(absl::Duration) override { return std::nullopt; }
  void RequestStop(const task::StopOrder&) override {}
  absl::StatusOr<task::CommitResult> CommitCheckpoint(const task::CommitRequest&,
                                                      absl::Duration) override;
  absl::Status FinishJob(const std::vector<task::Artifact>& outputs, absl::Duration) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status End(const EndReason&, absl::Duration) override { return absl::OkStatus(); }
  [[noreturn]] void Abort(const EndReason&) override { std::abort(); }

 private:
  mutable absl::Mutex mutex_;
  task::PeerSnapshot peers_ ABSL_GUARDED_BY(mutex_);
  std::vector<task::Artifact> finished_ ABSL_GUARDED_BY(mutex_);
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;
};

// A scratch directory with a model (context of 64 tokens, byte tokenizer with <|pad|> <|user|>
// <|assistant|> <|end|>), roots, and fake tasks on real gRPC.
class EvalTest : public ::testing::Test {
 protected:
  EvalTest();
  ~EvalTest() override;

  std::string Write(const std::string& name, const std::string& text) const;
  // 10 rows: prompts p0 .. p9, response "good", group g.
  PromptJob Prompts(int samples) const;
  ModelPlace Model(const std::string& name, bool baseline) const;
  task::Assignment Assignment(uint64_t epoch) const;
  // Serves, and becomes a peer of this role and index.
  void Serve(const std::string& role, int index, grpc::Service* service);

  std::string directory_;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  FakeSession session_;

 private:
  std::vector<std::unique_ptr<rpc::Server>> servers_;
  std::vector<task::Peer> peers_;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_TESTS_EVAL_FAKE_CLUSTER_H_
