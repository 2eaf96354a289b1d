// The session over gRPC: one thread runs the core, gRPC's threads only put messages in its inbox.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/bounded_queue.h"
#include "base/cause.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/client_stream.h"
#include "task/board.h"
#include "task/core.h"
#include "task/exit.h"
#include "task/session.h"
#include "task/wire.h"
#include "trainyard/v1/task.grpc.pb.h"
#include "wire/records.h"

namespace trainyard::task {
namespace {

constexpr size_t kInboxCapacity = 4096;
constexpr absl::Duration kCallTry = absl::Seconds(10);
constexpr absl::Duration kCloseWait = absl::Seconds(5);
// Leaves time within the second an abort may take.
constexpr absl::Duration kAbortWait = absl::Milliseconds(700);
constexpr int kUnlimitedRetries = 1 << 30;

using Stream = rpc::ClientStream<v1::TaskMessage, v1::CoordinatorToTask>;
using PeersCallback = std::function<void(const PeerSnapshot&)>;

// Asks the session's thread to call something else from now on.
struct ChangeCallback {
  PeersCallback callback;
  std::shared_ptr<absl::Notification> done;
};
using Item = std::variant<SessionEvent, ChangeCallback>;
using Inbox = BoundedQueue<Item>;

SessionCoreOptions CoreOptions(const Assignment& assignment, const SessionOptions& options) {
  SessionCoreOptions core;
  core.job_id = assignment.job_id;
  core.epoch = assignment.epoch;
  core.task_uid = assignment.task_uid;
  core.secret = assignment.secret;
  core.link.term = assignment.term;
  core.link.longest_backoff = options.longest_backoff;
  core.link.random_key = EntropyBits();
  return core;
}

// A coordinator that is away is no peer that is lost.
absl::Status OfCoordinator(const absl::Status& status, absl::string_view what) {
  return WithCause(Annotate(status, what), EndClass::kUnspecified);
}

class ClientSession final : public TaskSession {
 public:
  ClientSession(const Assignment& assignment, const SessionOptions& options)
      : assignment_(assignment),
        stub_(v1::TaskService::NewStub(rpc::OpenChannel(
            assignment.coordinator, {.longest_backoff = options.longest_backoff}))),
        core_(CoreOptions(assignment, options)),
        thread_([this] { Run(); }) {}

  ~ClientSession() override {
    closing_.Notify();
    inbox_->Close();
    thread_.join();
  }

  void Ready(const std::string& endpoint, const std::string& numerics_id) override {
    Post(LocalReady{{endpoint, numerics_id}});
  }
  void Report(const Progress& progress) override { Post(LocalProgress{progress}); }
  void ReportMetrics(int64_t step, const std::map<std::string, double>& values) override {
    Post(LocalMetrics{{step, values}});
  }
  PeerSnapshot Peers() const override { return board_.peers(); }
  absl::StatusOr<PeerSnapshot> WaitForPeers(
      const std::function<bool(const PeerSnapshot&)>& predicate, absl::Duration timeout) override {
    return board_.WaitForPeers(predicate, timeout);
  }
  void OnPeersChanged(PeersCallback callback) override {
    auto done = std::make_shared<absl::Notification>();
    if (inbox_->Push(ChangeCallback{std::move(callback), done}, kCloseWait)) {
      done->WaitForNotificationWithTimeout(kCloseWait);
    }
  }
  std::optional<StopOrder> StopRequested() const override { return board_.stop(); }
  std::optional<StopOrder> WaitForStop(absl::Duration timeout) override {
    return board_.WaitForStop(timeout);
  }
  void RequestStop(const StopOrder& order) override {
    board_.SetStop(order);
    Post(LocalStop{order});
  }
  absl::StatusOr<CommitResult> CommitCheckpoint(const CommitRequest& request,
                                                absl::Duration timeout) override;
  absl::Status FinishJob(const std::vector<Artifact>& outputs, absl::Duration timeout) override;
  absl::Status End(const EndReason& reason, absl::Duration timeout) override {
    LogEnd(reason);
    Post(LocalEnd{reason});
    return board_.WaitForEnd(timeout);
  }
  [[noreturn]] void Abort(const EndReason& reason) override {
    Post(LocalEnd{reason});
    board_.WaitForEnd(kAbortWait).IgnoreError();
    ExitNow(reason);
  }

 private:
  void Post(SessionEvent event) {
    // The inbox is full only when the session's thread is stuck; levels may then be lost.
    if (!inbox_->Push(Item(std::move(event)), absl::Seconds(1)) && !inbox_->closed()) {
      Log().warn("the session's inbox is full; a report was dropped");
    }
  }

  rpc::CallOptions CallOptions(absl::Duration timeout) const {
    return {.timeout = timeout,
            .try_timeout = kCallTry,
            .retries = kUnlimitedRetries,
            .longest_backoff = absl::Seconds(2),
            .wait_for_ready = true,
            .give_up = &closing_};
  }

  // The rest runs on the session's thread.
  void Run();
  void Step(const SessionEvent& event);
  void Do(const OpenStream& action);
  void Do(const CloseStream& action);
  void Do(const Say& action);
  void Do(const PeersChanged&);
  void Do(const StopChanged&) { board_.SetStop(*core_.stop()); }
  void Do(const SessionEnded& action) { board_.SetEnded(action.status); }
  void Do(const AbortProcess& action) { ExitNow(action.reason); }

  const Assignment assignment_;
  const std::unique_ptr<v1::TaskService::Stub> stub_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>(kInboxCapacity);
  absl::Notification closing_;
  Board board_;
  // One commit at a time.
  absl::Mutex commit_mutex_;
  bool committing_ ABSL_GUARDED_BY(commit_mutex_) = false;

  // Of the session's thread.
  SessionCore core_;
  int64_t stream_number_ = 0;
  std::shared_ptr<Stream> stream_;
  PeersCallback peers_callback_;
  std::thread thread_;
};

void ClientSession::Run() {
  const Clock& clock = Clock::Real();
  Step(Start{});
  while (true) {
    const absl::Duration wait = core_.NextTick() - clock.Monotonic();
    std::optional<Item> item = inbox_->Pop(std::max(wait, absl::ZeroDuration()));
    if (!item && inbox_->closed()) break;
    if (item && std::holds_alternative<ChangeCallback>(*item)) {
      auto& change = std::get<ChangeCallback>(*item);
      peers_callback_ = std::move(change.callback);
      if (peers_callback_) peers_callback_(core_.peers());
      change.done->Notify();
    } else if (item) {
      Step(std::get<SessionEvent>(*item));
    }
    if (clock.Monotonic() >= core_.NextTick()) Step(Tick{});
  }
  if (stream_ != nullptr) {
    stream_->Cancel();
    stream_->AwaitClosed(kCloseWait);
  }
}

void ClientSession::Step(const SessionEvent& event) {
  if (const auto* closed = std::get_if<StreamClosed>(&event); closed && core_.connected()) {
    Log().warn("lost the coordinator at {}: {}; trying again", assignment_.coordinator,
               closed->status.ToString());
  }
  const bool was_connected = core_.connected();
  for (const SessionAction& action : core_.Step(event, Clock::Real().Monotonic())) {
    std::visit([this](const auto& a) { Do(a); }, action);
  }
  if (!was_connected && core_.connected()) {
    Log().info("session with the coordinator at {}", assignment_.coordinator);
  }
}

void ClientSession::Do(const OpenStream& action) {
  stream_number_ = action.stream;
  Stream::Callbacks callbacks;
  callbacks.on_message = [inbox = inbox_, number = action.stream](v1::CoordinatorToTask wire) {
    auto message = FromWire(wire);
    return !message || inbox->TryPush(SessionEvent(Received{number, *std::move(message)}));
  };
  callbacks.on_closed = [inbox = inbox_, number = action.stream](const absl::Status& status) {
    // When there is no room, the core finds out by the silence.
    inbox->TryPush(SessionEvent(StreamClosed{number, status}));
  };
  stream_ = Stream::Start(
      [this](grpc::ClientContext* context, Stream::Reactor* reactor) {
        stub_->async()->Session(context, reactor);
      },
      std::move(callbacks));
}

void ClientSession::Do(const CloseStream& action) {
  if (action.stream == stream_number_ && stream_ != nullptr) stream_->Cancel();
}

void ClientSession::Do(const Say& action) {
  if (action.stream != stream_number_ || stream_ == nullptr) return;
  if (!stream_->Send(ToWire(action.message))) stream_->Cancel();
}

void ClientSession::Do(const PeersChanged&) {
  board_.SetPeers(core_.peers());
  if (peers_callback_) peers_callback_(core_.peers());
}

absl::StatusOr<CommitResult> ClientSession::CommitCheckpoint(const CommitRequest& request,
                                                             absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  {
    absl::MutexLock lock(&commit_mutex_);
    const auto free = [this] {
      commit_mutex_.AssertReaderHeld();
      return !committing_;
    };
    if (!commit_mutex_.AwaitWithDeadline(absl::Condition(&free), deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat("the commit of step ", request.step, " waited ",
                       absl::FormatDuration(timeout), " for the one before it"));
    }
    committing_ = true;
  }
  v1::CommitCheckpointRequest wire;
  // A function of what is committed: a repeat, even after a timeout, is the same request.
  wire.set_request_id(absl::StrCat("commit-", assignment_.job_id, "-", assignment_.epoch, "-",
                                   request.step, "-", request.manifest_sha256.substr(0, 16)));
  wire.set_job_id(assignment_.job_id);
  wire.set_epoch(assignment_.epoch);
  wire.set_task_uid(assignment_.task_uid);
  wire.set_secret(assignment_.secret);
  wire.set_step(request.step);
  wire.set_uri(request.uri);
  wire.set_manifest_sha256(request.manifest_sha256);
  if (request.metric) wire.set_metric(*request.metric);
  wire.set_metric_higher_is_better(request.metric_higher_is_better);
  wire.set_keep(request.keep);
  const auto answer = rpc::Call(*stub_, &v1::TaskService::Stub::CommitCheckpoint, wire,
                                CallOptions(deadline - absl::Now()));
  {
    absl::MutexLock lock(&commit_mutex_);
    committing_ = false;
  }
  if (!answer.ok()) {
    return OfCoordinator(answer.status(), absl::StrCat("commit of step ", request.step));
  }
  return CommitResult{answer->revision(), {answer->prune().begin(), answer->prune().end()}};
}

absl::Status ClientSession::FinishJob(const std::vector<Artifact>& outputs,
                                      absl::Duration timeout) {
  v1::FinishJobRequest request;
  request.set_request_id(absl::StrCat("finish-", assignment_.job_id, "-", assignment_.epoch));
  request.set_job_id(assignment_.job_id);
  request.set_epoch(assignment_.epoch);
  request.set_task_uid(assignment_.task_uid);
  request.set_secret(assignment_.secret);
  for (const Artifact& output : outputs) *request.add_outputs() = wire::ArtifactToWire(output);
  const auto answer =
      rpc::Call(*stub_, &v1::TaskService::Stub::FinishJob, request, CallOptions(timeout));
  return OfCoordinator(answer.status(), "finish of the job");
}

}  // namespace

std::unique_ptr<TaskSession> Connect(const Assignment& assignment, const SessionOptions& options) {
  if (assignment.coordinator.empty()) return StandAlone();
  return std::make_unique<ClientSession>(assignment, options);
}

}  // namespace trainyard::task
