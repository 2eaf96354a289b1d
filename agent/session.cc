#include "agent/session.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "agent/launcher.h"
#include "agent/log_shipper.h"
#include "agent/preflight.h"
#include "agent/processes.h"
#include "agent/wire.h"
#include "base/bounded_queue.h"
#include "base/cause.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/roots.h"
#include "base/status.h"
#include "rpc/channel.h"
#include "rpc/client_stream.h"
#include "trainyard/v1/agent.grpc.pb.h"

namespace trainyard::agent {
namespace {

constexpr size_t kInboxCapacity = 16'384;
constexpr size_t kMostPreflights = 256;
constexpr absl::Duration kCloseWait = absl::Seconds(5);

using Stream = rpc::ClientStream<v1::AgentMessage, v1::CoordinatorToAgent>;
using Inbox = BoundedQueue<AgentEvent>;

AgentCoreOptions CoreOptions(const AgentOptions& options) {
  AgentCoreOptions core;
  core.offer = options.offer;
  core.link.random_key = EntropyBits();
  return core;
}

// Runs preflights, which read files, on a thread of their own.
class PreflightRunner {
 public:
  PreflightRunner(Roots roots, std::shared_ptr<Inbox> inbox)
      : roots_(std::move(roots)), inbox_(std::move(inbox)), thread_([this] { Run(); }) {}
  ~PreflightRunner() {
    orders_.Close();
    thread_.join();
  }

  void Add(PreflightOrder order) {
    if (!orders_.TryPush(std::move(order))) Log().error("too many preflights at the same time");
  }

 private:
  void Run() {
    while (true) {
      std::optional<PreflightOrder> order = orders_.Pop(absl::InfiniteDuration());
      if (!order) return;
      PreflightReport report = Preflight(*order, roots_);
      if (!report.ok) {
        Log().warn("preflight of job {}: {}", report.job_id, report.problem.message);
      }
      inbox_->Push(PreflightDone{std::move(report)}, absl::Seconds(1));
    }
  }

  const Roots roots_;
  const std::shared_ptr<Inbox> inbox_;
  BoundedQueue<PreflightOrder> orders_{kMostPreflights};
  std::thread thread_;
};

}  // namespace

// One thread runs the core and carries out its actions.
class Agent::Loop {
 public:
  Loop(const AgentOptions& options, std::unique_ptr<Launcher> launcher)
      : coordinator_(options.config.coordinator),
        channel_(rpc::OpenChannel(coordinator_)),
        stub_(v1::AgentService::NewStub(channel_)),
        core_(CoreOptions(options)),
        launcher_(std::move(launcher)),
        shipper_(channel_, [this](uint64_t task_uid) { launcher_->Remove(task_uid); }),
        processes_(absl::StrCat(options.binary_dir, "/trainyard-exec"), ProcessCallbacks()),
        preflights_(Roots(options.config.roots), inbox_),
        thread_([this] { Run(); }) {}

  ~Loop() {
    inbox_->Close();
    thread_.join();
  }

  void Leave(absl::Duration deadline, const std::string& reason) {
    inbox_->Push(agent::Leave{deadline, reason}, absl::Seconds(1));
  }
  // What tasks of an agent that was killed had printed.
  void ShipWhatIsLeft(std::vector<LogSource> left) {
    for (LogSource& source : left) {
      const uint64_t task_uid = source.task_uid;
      Log().info("shipping what {} of job {} printed last, under an earlier agent", source.task,
                 source.job_id);
      shipper_.Add(std::move(source));
      shipper_.Finish(task_uid);
    }
  }
  bool AwaitDone(absl::Duration timeout) { return done_.WaitForNotificationWithTimeout(timeout); }

 private:
  Processes::Callbacks ProcessCallbacks();
  void Run();
  void Step(const AgentEvent& event);
  void Do(const OpenStream& action);
  void Do(const CloseStream& action);
  void Do(const Say& action);
  void Do(const StartTask& action);
  void Do(const SignalTask& action);
  void Do(const ForgetTask& action) { shipper_.Finish(action.task_uid); }
  void Do(const RunPreflight& action) { preflights_.Add(action.order); }
  void Do(const ExitAgent& action);

  const std::string coordinator_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>(kInboxCapacity);
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AgentService::Stub> stub_;
  absl::Notification done_;
  AgentCore core_;
  // Prepare on the loop's thread, Remove on the shipper's, never of one task at the same time.
  const std::unique_ptr<Launcher> launcher_;
  // The processes go first, then the last of their output is shipped.
  LogShipper shipper_;
  Processes processes_;
  PreflightRunner preflights_;
  int64_t stream_number_ = 0;
  std::shared_ptr<Stream> stream_;
  std::string last_loss_;
  std::thread thread_;
};

Processes::Callbacks Agent::Loop::ProcessCallbacks() {
  Processes::Callbacks callbacks;
  callbacks.on_started = [inbox = inbox_](uint64_t task_uid, pid_t pid) {
    inbox->Push(TaskStarted{task_uid, pid}, absl::InfiniteDuration());
  };
  callbacks.on_ended = [this](uint64_t task_uid, EndReason end) {
    // What it printed last says more than a code nobody chose.
    const bool unexplained =
        end.end_class == EndClass::kInternal || end.end_class == EndClass::kSignal;
    const std::string last = unexplained ? launcher_->LastLine(task_uid) : "";
    if (!last.empty()) absl::StrAppend(&end.message, "; it printed last: ", last);
    inbox_->Push(TaskEnded{task_uid, std::move(end)}, absl::InfiniteDuration());
  };
  return callbacks;
}

void Agent::Loop::Run() {
  const Clock& clock = Clock::Real();
  Step(agent::Start{});
  while (true) {
    const absl::Duration wait = core_.NextTick() - clock.Monotonic();
    const std::optional<AgentEvent> event = inbox_->Pop(std::max(wait, absl::ZeroDuration()));
    if (!event && inbox_->closed()) break;
    if (event) Step(*event);
    if (clock.Monotonic() >= core_.NextTick()) Step(Tick{});
  }
  if (stream_ != nullptr) {
    stream_->Cancel();
    stream_->AwaitClosed(kCloseWait);
  }
}

void Agent::Loop::Step(const AgentEvent& event) {
  const bool was_connected = core_.connected();
  const auto* closed = std::get_if<StreamClosed>(&event);
  if (closed != nullptr && closed->stream == stream_number_) {
    // Every attempt of an hour without a coordinator ends the same way: told once.
    const std::string why = closed->status.ToString();
    const bool news = was_connected || why != last_loss_;
    Log().log(news ? spdlog::level::warn : spdlog::level::debug,
              "no session with the coordinator at {}, trying again: {}", coordinator_, why);
    last_loss_ = why;
  }
  if (const auto* ended = std::get_if<TaskEnded>(&event)) {
    Log().info("task {}: {}", ended->task_uid, ended->end.message);
  }
  for (const AgentAction& action : core_.Step(event, Clock::Real().Monotonic())) {
    std::visit([this](const auto& a) { Do(a); }, action);
  }
  if (!was_connected && core_.connected()) Log().info("registered with {}", coordinator_);
}

void Agent::Loop::Do(const OpenStream& action) {
  stream_number_ = action.stream;
  Stream::Callbacks callbacks;
  callbacks.on_message = [inbox = inbox_, number = action.stream](v1::CoordinatorToAgent wire) {
    auto message = FromWire(wire);
    return !message || inbox->TryPush(Received{number, *std::move(message)});
  };
  callbacks.on_closed = [inbox = inbox_, number = action.stream](const absl::Status& status) {
    // When there is no room, the core finds out by the silence.
    inbox->TryPush(StreamClosed{number, status});
  };
  stream_ = Stream::Start(
      [this](grpc::ClientContext* context, Stream::Reactor* reactor) {
        stub_->async()->Session(context, reactor);
      },
      std::move(callbacks));
}

void Agent::Loop::Do(const CloseStream& action) {
  if (action.stream == stream_number_ && stream_ != nullptr) stream_->Cancel();
}

void Agent::Loop::Do(const Say& action) {
  if (action.stream != stream_number_ || stream_ == nullptr) return;
  if (!stream_->Send(ToWire(action.message))) stream_->Cancel();
}

void Agent::Loop::Do(const StartTask& action) {
  const uint64_t task_uid = action.task.task_uid;
  absl::StatusOr<Launch> launch = launcher_->Prepare(action.task);
  if (!launch.ok()) {
    EndReason end;
    const bool disk_full = CauseOf(launch.status()) == EndClass::kDiskFull;
    end.end_class = disk_full ? EndClass::kDiskFull : EndClass::kInternal;
    end.message = absl::StrCat("task ", task_uid, " could not be started: ",
                               launch.status().message());
    return Step(TaskEnded{task_uid, std::move(end)});
  }
  Log().info("starting task {}: {}", task_uid, launch->process.name);
  shipper_.Add(std::move(launch->log));
  processes_.Start(std::move(launch->process));
}

void Agent::Loop::Do(const SignalTask& action) {
  Log().info("{} task {}: {}", action.kill ? "killing" : "stopping", action.task_uid,
             action.reason);
  processes_.Signal(action.task_uid, action.kill);
}

void Agent::Loop::Do(const ExitAgent& action) {
  Log().info("nothing is left to do: {}", action.reason);
  if (!done_.HasBeenNotified()) done_.Notify();
}

Agent::Agent(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(AgentOptions options) {
  auto launcher = std::make_unique<Launcher>(options.config, options.binary_dir);
  TY_ASSIGN_OR_RETURN(std::vector<LogSource> left, launcher->TakeWorkDirectory());
  auto loop = std::make_unique<Loop>(options, std::move(launcher));
  loop->ShipWhatIsLeft(std::move(left));
  return std::unique_ptr<Agent>(new Agent(std::move(loop)));
}

Agent::~Agent() = default;

void Agent::Leave(absl::Duration deadline, const std::string& reason) {
  loop_->Leave(deadline, reason);
}

bool Agent::AwaitDone(absl::Duration timeout) { return loop_->AwaitDone(timeout); }

}  // namespace trainyard::agent
