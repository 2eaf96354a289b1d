// A coordinator of tests: speaks TaskService as it is told.

#ifndef TRAINYARD_TESTS_TASK_FAKE_COORDINATOR_H_
#define TRAINYARD_TESTS_TASK_FAKE_COORDINATOR_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rpc/server.h"
#include "rpc/status.h"
#include "trainyard/v1/task.grpc.pb.h"

namespace trainyard::task {

// Welcomes every session, keeps what it hears, and says what the test wants said. Guarded.
class FakeCoordinator final : public v1::TaskService::Service {
 public:
  using SessionStream = grpc::ServerReaderWriter<v1::CoordinatorToTask, v1::TaskMessage>;

  // On `listen`, or any free port.
  absl::Status Start(const std::string& listen = "127.0.0.1:0") {
    auto server = rpc::Server::Start({.listen = listen}, {this});
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    return absl::OkStatus();
  }
  std::string endpoint() const { return server_->endpoint(); }
  void Stop() { server_.reset(); }

  // Ends the session that is open, and all later ones, with this status.
  void EndSessions(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    end_ = std::move(status);
  }
  void Send(const v1::CoordinatorToTask& message) {
    absl::MutexLock lock(&mutex_);
    if (stream_ != nullptr) stream_->Write(message);
  }
  void RefuseCommits(int times, absl::Status status) {
    absl::MutexLock lock(&mutex_);
    refusals_ = times;
    refusal_ = std::move(status);
  }

  std::vector<v1::TaskMessage> heard() const {
    absl::MutexLock lock(&mutex_);
    return heard_;
  }
  std::vector<v1::CommitCheckpointRequest> commits() const {
    absl::MutexLock lock(&mutex_);
    return commits_;
  }
  // Waits until a message as wanted was heard.
  bool WaitToHear(const std::function<bool(const v1::TaskMessage&)>& wanted) const {
    absl::MutexLock lock(&mutex_);
    const auto came = [&] {
      mutex_.AssertReaderHeld();
      for (const v1::TaskMessage& message : heard_) {
        if (wanted(message)) return true;
      }
      return false;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&came), absl::Seconds(20));
  }

  grpc::Status Session(grpc::ServerContext* context, SessionStream* stream) override {
    v1::TaskMessage message;
    if (!stream->Read(&message)) return grpc::Status::OK;
    v1::CoordinatorToTask welcome;
    welcome.mutable_welcome()->set_term(7);
    welcome.mutable_welcome()->set_heartbeat_seconds(0.05);
    {
      absl::MutexLock lock(&mutex_);
      if (end_) return rpc::ToGrpc(*end_, context);
      stream->Write(welcome);
      stream_ = stream;
      heard_.push_back(message);
    }
    while (stream->Read(&message)) {
      absl::MutexLock lock(&mutex_);
      heard_.push_back(message);
      v1::CoordinatorToTask answer;
      if (message.has_heartbeat()) {
        answer.mutable_heartbeat()->set_sequence(message.heartbeat().sequence());
        answer.mutable_heartbeat()->set_term(7);
        stream->Write(answer);
      } else if (message.has_end()) {
        answer.mutable_end();
        stream->Write(answer);
      }
      if (end_) break;
    }
    absl::MutexLock lock(&mutex_);
    stream_ = nullptr;
    return end_ ? rpc::ToGrpc(*end_, context) : grpc::Status::OK;
  }

  grpc::Status CommitCheckpoint(grpc::ServerContext* context,
                                const v1::CommitCheckpointRequest* request,
                                v1::CommitCheckpointResponse* response) override {
    absl::MutexLock lock(&mutex_);
    commits_.push_back(*request);
    if (refusals_ > 0) {
      --refusals_;
      return rpc::ToGrpc(refusal_, context);
    }
    response->set_revision(11);
    response->add_prune("root://runs/job/e1/step-00000001");
    return grpc::Status::OK;
  }

  grpc::Status FinishJob(grpc::ServerContext*, const v1::FinishJobRequest*,
                         v1::FinishJobResponse* response) override {
    response->set_revision(12);
    return grpc::Status::OK;
  }

 private:
  mutable absl::Mutex mutex_;
  SessionStream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::TaskMessage> heard_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::CommitCheckpointRequest> commits_ ABSL_GUARDED_BY(mutex_);
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace trainyard::task

#endif  // TRAINYARD_TESTS_TASK_FAKE_COORDINATOR_H_
