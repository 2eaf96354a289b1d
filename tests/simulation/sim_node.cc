#include "tests/simulation/sim_node.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/simulation/translate.h"

namespace trainyard::simulation {

SimNode::SimNode(const Surroundings& surroundings, SimNodeOptions options)
    : Actor(surroundings.world), around_(surroundings), options_(std::move(options)) {}

SimNode::~SimNode() { Vanish(); }

agent::NodeOffer SimNode::Offer() const {
  agent::NodeOffer offer;
  offer.node = options_.name;
  offer.process_nonce = nonce_;
  offer.host = absl::StrCat("host-of-", options_.name);
  for (int i = 0; i < options_.gpus; ++i) {
    offer.gpus.push_back({absl::StrCat(options_.name, "-gpu-", i), "H200", int64_t{141} << 30});
  }
  offer.cpu_milli = options_.cpu_milli;
  offer.memory_bytes = options_.memory_bytes;
  offer.labels = options_.labels;
  offer.roots = {{"runs", "cluster-1"}};
  return offer;
}

void SimNode::Start() {
  nonce_ = world_.Below(uint64_t{1} << 62) + 1;
  client_ = around_.network->Join(this, options_.name);
  agent::AgentCoreOptions options;
  options.offer = Offer();
  options.link.random_key = nonce_;
  core_ = std::make_unique<agent::AgentCore>(options);
  world_.Trace(absl::StrCat("agent of ", options_.name, " starts, nonce ", nonce_));
  Feed(agent::Start{});
}

void SimNode::Vanish() {
  if (core_ == nullptr) return;
  Die();
  core_.reset();
  processes_.clear();
  assignments_.clear();
  streams_.clear();
  next_tick_ = absl::InfiniteDuration();
  around_.network->Leave(client_);
}

void SimNode::Crash(absl::Duration away) {
  if (core_ == nullptr) return;
  world_.Trace(
      absl::StrCat("fault: agent of ", options_.name, " dies with ", processes_.size(), " tasks"));
  Vanish();
  Later(away, [this] { Start(); });
}

void SimNode::Leave(absl::Duration away) {
  if (core_ == nullptr) return;
  world_.Trace(absl::StrCat("fault: agent of ", options_.name, " gets SIGTERM"));
  back_after_ = away;
  Feed(agent::Leave{absl::Seconds(20), "SIGTERM"});
}

void SimNode::OnOrder(int64_t stream, const coordinator::Order& order) {
  if (const auto* desired = std::get_if<coordinator::DesiredSet>(&order)) {
    for (const coordinator::DesiredTask& task : desired->tasks) {
      if (!task.stop) assignments_[task.task_uid] = task.assignment;
    }
  }
  if (auto message = ToAgent(order)) Feed(agent::Received{stream, *std::move(message)});
}

void SimNode::OnClosed(int64_t stream, const absl::Status& status) {
  streams_.erase(stream);
  Feed(agent::StreamClosed{stream, status});
}

void SimNode::Feed(const agent::AgentEvent& event) {
  if (core_ == nullptr) return;
  for (const agent::AgentAction& action : core_->Step(event, world_.now())) {
    if (core_ != nullptr) Do(action);
  }
  if (core_ != nullptr) ScheduleTick();
}

void SimNode::Do(const agent::AgentAction& action) {
  if (const auto* open = std::get_if<agent::OpenStream>(&action)) {
    streams_[open->stream] = around_.network->Open(client_, open->stream, [](SessionId session) {
      return coordinator::AgentSessionLost{session};
    });
  } else if (const auto* close = std::get_if<agent::CloseStream>(&action)) {
    const auto it = streams_.find(close->stream);
    if (it != streams_.end()) around_.network->CloseFromClient(it->second);
  } else if (const auto* say = std::get_if<agent::Say>(&action)) {
    const auto it = streams_.find(say->stream);
    if (it != streams_.end()) {
      around_.network->ToServer(it->second, ToEvent(it->second, say->message));
    }
  } else if (const auto* start = std::get_if<agent::StartTask>(&action)) {
    StartTask(start->task.task_uid);
  } else if (const auto* signal = std::get_if<agent::SignalTask>(&action)) {
    const auto it = processes_.find(signal->task_uid);
    if (it == processes_.end()) return;
    if (signal->kill) {
      it->second->Kill(EndClass::kSignal);
    } else {
      it->second->Terminate();
    }
  } else if (const auto* preflight = std::get_if<agent::RunPreflight>(&action)) {
    Preflight(preflight->order);
  } else if (std::holds_alternative<agent::ExitAgent>(action)) {
    const absl::Duration away = back_after_;
    Later(absl::ZeroDuration(), [this, away] {
      Vanish();
      Later(away, [this] { Start(); });
    });
  }
}

void SimNode::ScheduleTick() {
  const absl::Duration next = core_->NextTick();
  if (next == absl::InfiniteDuration() || next == next_tick_) return;
  next_tick_ = next;
  Later(std::max(next - world_.now(), absl::Milliseconds(1)), [this, next] {
    if (next_tick_ != next) return;
    next_tick_ = absl::InfiniteDuration();
    Feed(agent::Tick{});
  });
}

void SimNode::StartTask(uint64_t task_uid) {
  if (world_.Fault(0.01)) {
    Later(absl::Milliseconds(20), [this, task_uid] {
      EndReason end;
      end.end_class = EndClass::kInternal;
      end.message = "could not be started";
      Feed(agent::TaskEnded{task_uid, end});
    });
    return;
  }
  // The slot is taken from the decision on, whenever the process comes up.
  const SimTask::Surroundings around{
      &world_, around_.network, around_.invariants, around_.board,
      [this, task_uid](const EndReason& end) { OnTaskExit(task_uid, end); }};
  const auto [it, fresh] =
      processes_.emplace(task_uid, std::make_unique<SimTask>(around, assignments_.at(task_uid)));
  if (!fresh) world_.Violate(absl::StrCat("task ", task_uid, " was started twice"));
  CheckProcesses();
  Later(world_.Between(absl::Milliseconds(5), absl::Milliseconds(100)), [this, task_uid] {
    if (processes_.count(task_uid) > 0) {
      Feed(agent::TaskStarted{task_uid, static_cast<int>(task_uid)});
    }
  });
}

void SimNode::OnTaskExit(uint64_t task_uid, const EndReason& end) {
  // The process may be on the stack: it goes in the next moment.
  Later(absl::ZeroDuration(), [this, task_uid, end] {
    processes_.erase(task_uid);
    Feed(agent::TaskEnded{task_uid, end});
  });
}

void SimNode::Preflight(const agent::PreflightOrder& order) {
  agent::PreflightReport report{order.job_id, order.epoch, true, {}};
  if (world_.Fault(0.02)) {
    report.ok = false;
    report.problem.end_class = world_.Chance(0.5) ? EndClass::kUserError : EndClass::kDiskFull;
    report.problem.message = "root://runs/data is not there";
  }
  Later(world_.Between(absl::Milliseconds(5), absl::Milliseconds(300)),
        [this, report] { Feed(agent::PreflightDone{report}); });
}

void SimNode::CheckProcesses() {
  std::vector<RunningProcess> running;
  for (const auto& [uid, process] : processes_) {
    const coordinator::Assignment& assignment = process->assignment();
    running.push_back({uid, assignment.job_id, assignment.resources, assignment.gpus});
  }
  coordinator::NodeOffer offer;
  offer.host = options_.name;
  offer.cpu_milli = options_.cpu_milli;
  offer.memory_bytes = options_.memory_bytes;
  around_.invariants->OnProcesses(offer, running);
}

}  // namespace trainyard::simulation
