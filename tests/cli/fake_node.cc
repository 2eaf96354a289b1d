#include "tests/cli/fake_node.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/ids.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "trainyard/v1/agent.grpc.pb.h"
#include "trainyard/v1/task.grpc.pb.h"

namespace trainyard::cli {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(20);

v1::AgentMessage Registration(const std::string& name) {
  v1::AgentMessage message;
  v1::AgentRegister* registration = message.mutable_register_();
  registration->set_node(name);
  registration->set_process_nonce(1);
  registration->set_host("host-of-" + name);
  registration->set_advertise("127.0.0.1");
  registration->set_cpu_milli(16000);
  registration->set_memory_bytes(int64_t{64} << 30);
  for (const char* root : {"data", "runs"}) {
    v1::RootProof* proof = registration->add_roots();
    proof->set_name(root);
    proof->set_cluster_id("cluster-1");
  }
  return message;
}

}  // namespace

// The agent's stream: a thread reads, whoever has something to say writes.
class FakeNode::Session {
 public:
  Session(const std::string& coordinator, const std::string& name)
      : channel_(rpc::OpenChannel(coordinator, {.own_connection = true})),
        agents_(v1::AgentService::NewStub(channel_)),
        tasks_(v1::TaskService::NewStub(channel_)) {
    rpc::PrepareContext({.timeout = absl::Minutes(5)}, &context_);
    stream_ = agents_->Session(&context_);
    Say(Registration(name));
    reader_ = std::thread([this] { Read(); });
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&registered_), kLimit));
  }

  ~Session() {
    context_.TryCancel();
    reader_.join();
    const grpc::Status ignored = stream_->Finish();  // cancelled, by us
  }

  void Say(const v1::AgentMessage& message) ABSL_LOCKS_EXCLUDED(write_mutex_) {
    absl::MutexLock lock(&write_mutex_);
    EXPECT_TRUE(stream_->Write(message)) << "the coordinator closed the agent's stream";
  }

  // The newest task of this name that is wanted, or wanted stopped.
  v1::TaskAssignment Await(const std::string& job, const std::string& task, bool stop = false)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    std::optional<v1::TaskAssignment> found;
    const auto wanted = [&] {
      mutex_.AssertReaderHeld();
      for (const auto& [uid, desired] : desired_) {
        const v1::TaskAssignment& assignment = desired.assignment;
        const bool of_job =
            job.empty() || assignment.job_id() == job || assignment.job_name() == job;
        const std::string name = absl::StrCat(assignment.role(), "/", assignment.index());
        if (of_job && name == task && (desired.stop || !stop)) found = assignment;
      }
      return found.has_value();
    };
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&wanted), kLimit))
        << "no task " << task << " of " << job << " came";
    return found.value_or(v1::TaskAssignment());
  }

  double GraceOf(uint64_t task_uid) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto it = desired_.find(task_uid);
    return it == desired_.end() ? 0 : it->second.grace_seconds;
  }

  void Exit(const v1::TaskAssignment& first, v1::EndClass end_class, const std::string& text) {
    std::vector<uint64_t> others;
    {
      absl::MutexLock lock(&mutex_);
      desired_.erase(first.task_uid());
      for (const auto& [uid, desired] : desired_) {
        if (desired.assignment.job_id() == first.job_id()) others.push_back(uid);
      }
      for (const uint64_t uid : others) desired_.erase(uid);
    }
    SayExit(first.task_uid(), end_class, text);
    for (const uint64_t uid : others) SayExit(uid, v1::END_DRAINED, "");
  }

  void Print(const v1::TaskAssignment& task, const std::string& text) {
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = kLimit}, &context);
    const auto stream = agents_->ShipLogs(&context);
    v1::LogShipment shipment;
    shipment.set_task_uid(task.task_uid());
    shipment.set_job_id(task.job_id());
    shipment.set_attempt(task.attempt());
    shipment.set_task(absl::StrCat(task.role(), "/", task.index()));
    shipment.set_offset(printed_[task.task_uid()]);
    shipment.set_data(text);
    v1::LogAck kept;
    EXPECT_TRUE(stream->Write(shipment) && stream->Read(&kept));
    EXPECT_EQ(kept.offset(), printed_[task.task_uid()] += text.size());
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }

  // Says it on a session of the task. The answer to the heartbeat behind it shows that it was
  // heard.
  void Report(const v1::TaskAssignment& task, const v1::TaskMessage& said) {
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = kLimit}, &context);
    const auto stream = tasks_->Session(&context);
    v1::TaskMessage message;
    message.mutable_hello()->set_job_id(task.job_id());
    message.mutable_hello()->set_epoch(task.epoch());
    message.mutable_hello()->set_task_uid(task.task_uid());
    message.mutable_hello()->set_secret(task.secret());
    bool open = stream->Write(message);
    open = open && stream->Write(said);
    message.mutable_heartbeat()->set_sequence(1);
    open = open && stream->Write(message);
    v1::CoordinatorToTask answer;
    while (open && !answer.has_heartbeat()) open = stream->Read(&answer);
    EXPECT_TRUE(open) << "the coordinator closed the task's session";
    context.TryCancel();
    const grpc::Status ignored = stream->Finish();  // cancelled, by us
  }

  // CommitCheckpoint or FinishJob.
  template <typename Method, typename Request>
  void Record(const v1::TaskAssignment& task, Method method, Request request) {
    request.set_request_id(RandomId("test"));
    request.set_job_id(task.job_id());
    request.set_epoch(task.epoch());
    request.set_task_uid(task.task_uid());
    request.set_secret(task.secret());
    const auto answer = rpc::Call(*tasks_, method, request, {.timeout = kLimit});
    EXPECT_TRUE(answer.ok()) << answer.status();
  }

 private:
  struct Desired {
    v1::TaskAssignment assignment;
    bool stop = false;
    double grace_seconds = 0;  // with `stop`
  };

  void Read() {
    v1::CoordinatorToAgent message;
    while (stream_->Read(&message)) {
      if (message.has_preflight()) {
        v1::AgentMessage passed;
        passed.mutable_preflight()->set_job_id(message.preflight().job_id());
        passed.mutable_preflight()->set_epoch(message.preflight().epoch());
        passed.mutable_preflight()->set_ok(true);
        Say(passed);
      }
      absl::MutexLock lock(&mutex_);
      registered_ = registered_ || message.has_registered();
      if (!message.has_desired()) continue;
      for (const v1::DesiredTask& task : message.desired().tasks()) Want(task);
      for (const uint64_t uid : message.desired().removed()) desired_.erase(uid);
    }
  }

  void SayExit(uint64_t task_uid, v1::EndClass end_class, const std::string& text) {
    v1::AgentMessage message;
    message.mutable_exit()->set_task_uid(task_uid);
    message.mutable_exit()->mutable_end()->set_class_(end_class);
    message.mutable_exit()->mutable_end()->set_message(text);
    Say(message);
  }

  // An order to stop comes without an assignment.
  void Want(const v1::DesiredTask& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::TaskAssignment assignment;
    if (!task.stop()) {
      EXPECT_TRUE(assignment.ParseFromString(task.assignment()));
      desired_[task.task_uid()] = {assignment, false, 0};
    } else if (const auto it = desired_.find(task.task_uid()); it != desired_.end()) {
      it->second.stop = true;
      it->second.grace_seconds = task.grace_seconds();
    }
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AgentService::Stub> agents_;
  const std::unique_ptr<v1::TaskService::Stub> tasks_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::CoordinatorToAgent>> stream_;
  absl::Mutex write_mutex_;
  absl::Mutex mutex_;
  bool registered_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint64_t, Desired> desired_ ABSL_GUARDED_BY(mutex_);  // by uid; those that exited left
  std::map<uint64_t, int64_t> printed_;                          // bytes, by uid
  std::thread reader_;
};

FakeNode::FakeNode(const std::string& coordinator, const std::string& name)
    : session_(std::make_unique<Session>(coordinator, name)) {}

FakeNode::~FakeNode() = default;

v1::JobSpec FakeNode::Await(const std::string& job, const std::string& task) {
  return session_->Await(job, task).spec();
}

double FakeNode::AwaitStop(const std::string& job, const std::string& task) {
  return session_->GraceOf(session_->Await(job, task, /*stop=*/true).task_uid());
}

void FakeNode::Print(const std::string& job, const std::string& task, const std::string& text) {
  session_->Print(session_->Await(job, task), text);
}

void FakeNode::Commit(const std::string& job, const std::string& task, int64_t step) {
  const v1::TaskAssignment assignment = session_->Await(job, task);
  v1::CommitCheckpointRequest request;
  request.set_step(step);
  request.set_uri(absl::StrCat(assignment.run_uri(), "/e", assignment.epoch(), "/step-", step));
  request.set_manifest_sha256(std::string(64, 'c'));
  request.set_keep(2);
  session_->Record(assignment, &v1::TaskService::Stub::CommitCheckpoint, request);
}

void FakeNode::Report(const std::string& job, const std::string& task, int64_t step,
                      const std::string& metric, double value) {
  v1::TaskMessage said;
  said.mutable_metrics()->set_step(step);
  (*said.mutable_metrics()->mutable_values())[metric] = value;
  session_->Report(session_->Await(job, task), said);
}

void FakeNode::Serve(const std::string& job, const std::string& task, const std::string& endpoint) {
  v1::TaskMessage said;
  said.mutable_ready()->set_endpoint(endpoint);
  session_->Report(session_->Await(job, task), said);
}

void FakeNode::Succeed(const std::string& job, const std::string& task,
                       const v1::Artifact& output) {
  v1::FinishJobRequest request;
  *request.add_outputs() = output;
  session_->Record(session_->Await(job, task), &v1::TaskService::Stub::FinishJob, request);
  Exit(job, task, v1::END_SUCCEEDED, "");
}

void FakeNode::Exit(const std::string& job, const std::string& task, v1::EndClass end_class,
                    const std::string& message) {
  session_->Exit(session_->Await(job, task), end_class, message);
}

}  // namespace trainyard::cli
