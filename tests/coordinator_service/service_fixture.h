// A whole coordinator in this process over real gRPC, with a real store in a temporary directory,
// and streams to it that a test plays by hand: an agent's, a task's, a watcher's.

#ifndef TRAINYARD_TESTS_COORDINATOR_SERVICE_SERVICE_FIXTURE_H_
#define TRAINYARD_TESTS_COORDINATOR_SERVICE_SERVICE_FIXTURE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/service.h"
#include "rpc/call.h"
#include "rpc/status.h"
#include "tests/coordinator_service/spec_texts.h"
#include "tests/support/process.h"
#include "trainyard/v1/agent.grpc.pb.h"
#include "trainyard/v1/coordinator.grpc.pb.h"
#include "trainyard/v1/task.grpc.pb.h"

namespace trainyard::coordinator {

inline constexpr absl::Duration kStreamLimit = absl::Seconds(60);

// A stream that a test reads. Every wait ends within kStreamLimit of the start.
template <typename Stream, typename In>
class Reading {
 public:
  // `open` is a stub's method with its context: it starts the stream.
  template <typename Open>
  explicit Reading(Open open) {
    rpc::PrepareContext({.timeout = kStreamLimit}, &context_);
    stream_ = open(&context_);
  }
  ~Reading() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  bool Next(In* message) { return stream_->Read(message); }
  // The next message that is wanted; others are dropped. The default one when the stream ends.
  In Await(const std::function<bool(const In&)>& wanted) {
    In message;
    while (Next(&message)) {
      if (wanted(message)) return message;
    }
    ADD_FAILURE() << "the stream ended first: " << Finish();
    return In();
  }
  absl::Status Finish() {
    finished_ = true;
    const grpc::Status status = stream_->Finish();
    return rpc::FromGrpc(status, context_);
  }

 protected:
  Stream& stream() { return *stream_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  bool finished_ = false;
};

// A stream of both directions.
template <typename Out, typename In>
class BothWays : public Reading<grpc::ClientReaderWriter<Out, In>, In> {
 public:
  using Reading<grpc::ClientReaderWriter<Out, In>, In>::Reading;

  bool Send(const Out& message) { return this->stream().Write(message); }
};

using AgentLine = BothWays<v1::AgentMessage, v1::CoordinatorToAgent>;
using ShipLine = BothWays<v1::LogShipment, v1::LogAck>;
using TaskLine = BothWays<v1::TaskMessage, v1::CoordinatorToTask>;

// The coordinator alone writes these.
using Watch = Reading<grpc::ClientReader<v1::WatchJobsEvent>, v1::WatchJobsEvent>;
using Logs = Reading<grpc::ClientReader<v1::LogChunk>, v1::LogChunk>;

class ServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  void SetUp() override { Start(); }

  void Start();
  void Restart();

  template <typename Method, typename Request>
  auto Ask(Method method, const Request& request) {
    return rpc::Call(*jobs_, method, request, {.timeout = absl::Seconds(20)});
  }
  template <typename Method, typename Request>
  auto AskCluster(Method method, const Request& request) {
    return rpc::Call(*cluster_, method, request, {.timeout = absl::Seconds(20)});
  }

  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec, const std::string& request_id,
                                 bool validate_only = false);
  // A job of this name.
  v1::JobSpec Named(const std::string& name) { return Job(kFake, {"name=" + name}); }
  absl::StatusOr<v1::Job> Get(const std::string& job, bool explain = false);
  absl::StatusOr<v1::Job> Cancel(const std::string& job);
  absl::StatusOr<v1::ListJobsResponse> List(const std::string& filter, int size,
                                            const std::string& token = "");
  std::unique_ptr<Watch> OpenWatch(const v1::WatchJobsRequest& request);
  // The job once it is over.
  v1::Job Ended(const std::string& name);
  std::unique_ptr<Logs> OpenLogs(const v1::GetLogsRequest& request);

  // An agent of this name, registered: 4 CPUs and the root "runs".
  std::unique_ptr<AgentLine> Agent(const std::string& node, uint64_t nonce = 1);
  // What the agent is told to start, once it is so many tasks; preflights go well.
  std::vector<v1::TaskAssignment> Assignments(AgentLine& agent, int count);
  // The agent says that this task runs.
  void Running(AgentLine& agent, uint64_t task_uid);
  // The agent says that this task is gone.
  void Exit(AgentLine& agent, uint64_t task_uid, v1::EndClass end_class);
  // A task's stream, greeted; `secret` empty: the assignment's.
  std::unique_ptr<TaskLine> Task(const v1::TaskAssignment& assignment,
                                 const std::string& secret = "");

  testing::TempDir dir_;
  std::unique_ptr<Coordinator> coordinator_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::ClusterService::Stub> cluster_;
  std::unique_ptr<v1::AgentService::Stub> agents_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_COORDINATOR_SERVICE_SERVICE_FIXTURE_H_
