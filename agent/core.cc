#include "agent/core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trainyard::agent {
namespace {

constexpr size_t kFinishedKept = 10'000;

}  // namespace

AgentCore::AgentCore(AgentCoreOptions options)
    : options_(std::move(options)), link_(options_.link) {}

std::vector<AgentAction> AgentCore::Step(const AgentEvent& event, absl::Duration now) {
  now_ = std::max(now_, now);
  Actions actions;
  std::visit([&](const auto& e) { On(e, &actions); }, event);
  return actions;
}

absl::Duration AgentCore::NextTick() const {
  if (link_.phase() == SessionLink::Phase::kIdle || gone()) return absl::InfiniteDuration();
  absl::Duration next = std::min({orphan_at_, leave_stop_at_, link_.NextDue()});
  if (now_ < leave_by_) next = std::min(next, leave_by_);
  for (const auto& [uid, task] : tasks_) {
    if (!task.killed) next = std::min(next, task.kill_at);
    if (link_.open()) next = std::min(next, task.resend_at);
  }
  return next;
}

ActualSet AgentCore::actual() const {
  ActualSet actual;
  actual.desired_revision = desired_revision_;
  for (const auto& [uid, task] : tasks_) actual.tasks.push_back({uid, task.phase, task.pid});
  return actual;
}

void AgentCore::On(const Start&, Actions* actions) {
  if (link_.phase() == SessionLink::Phase::kIdle) Open(actions);
}

void AgentCore::On(const Tick&, Actions* actions) {
  if (gone()) return;
  if (now_ >= orphan_at_) {
    orphan_at_ = absl::InfiniteDuration();
    StopEverything(options_.orphan_grace,
                   absl::StrCat("no coordinator for ", absl::FormatDuration(orphan_timeout_)),
                   actions);
  }
  if (now_ >= leave_stop_at_) {
    leave_stop_at_ = absl::InfiniteDuration();
    StopEverything(leave_by_ - now_, leaving_reason_, actions);
  }
  for (auto& [uid, task] : tasks_) {
    if (task.killed || now_ < task.kill_at) continue;
    task.killed = true;
    actions->push_back(SignalTask{uid, /*kill=*/true, "its grace is over"});
  }
  switch (link_.DueAt(now_)) {
    case SessionLink::Due::kOpen:
      Open(actions);
      break;
    case SessionLink::Due::kSilent:
      Lose(/*close=*/true, actions);
      break;
    case SessionLink::Due::kHeartbeat:
      SendTo(Heartbeat{link_.NextHeartbeat(now_)}, actions);
      break;
    case SessionLink::Due::kNothing:
      break;
  }
  if (link_.open()) SendExits(/*all=*/false, actions);
  ExitWhenEmpty(actions);
}

void AgentCore::On(const Received& event, Actions* actions) {
  const bool welcome = std::holds_alternative<Registered>(event.message);
  if (!link_.Hear(event.stream, welcome, now_)) return;
  std::visit([&](const auto& message) { Hear(message, actions); }, event.message);
}

void AgentCore::On(const StreamClosed& event, Actions* actions) {
  if (link_.Uses(event.stream)) Lose(/*close=*/false, actions);
}

void AgentCore::On(const TaskStarted& event, Actions* actions) {
  const auto found = tasks_.find(event.task_uid);
  if (found == tasks_.end() || found->second.phase == TaskPhase::kExited) return;
  Task& task = found->second;
  task.pid = event.pid;
  if (task.phase == TaskPhase::kStarting) task.phase = TaskPhase::kRunning;
  if (link_.open()) SendTo(actual(), actions);
}

void AgentCore::On(const TaskEnded& event, Actions* actions) {
  const auto found = tasks_.find(event.task_uid);
  if (found == tasks_.end() || found->second.phase == TaskPhase::kExited) return;
  Task& task = found->second;
  task.phase = TaskPhase::kExited;
  task.end = event.end;
  task.kill_at = absl::InfiniteDuration();
  task.resend_at = now_;
  if (link_.open()) SendExits(/*all=*/false, actions);
  ExitWhenEmpty(actions);
}

void AgentCore::On(const PreflightDone& event, Actions* actions) {
  const auto key = std::make_pair(event.report.job_id, event.report.epoch);
  const auto found = preflights_.find(key);
  if (found == preflights_.end()) return;
  found->second = event.report;
  if (!link_.open()) return;
  SendTo(event.report, actions);
  preflights_.erase(found);
}

void AgentCore::On(const Leave& event, Actions* actions) {
  if (leaving_) return;
  leaving_ = true;
  leaving_reason_ = event.reason;
  leave_by_ = now_ + event.deadline;
  // The coordinator stops gangs as a whole; only when it does not come to it the agent does alone.
  leave_stop_at_ = link_.open() ? now_ + event.deadline / 2 : now_;
  if (link_.open()) SendTo(NodeLeaving{event.deadline, event.reason}, actions);
  On(Tick{}, actions);
}

void AgentCore::Hear(const Registered& message, Actions* actions) {
  if (!AcceptTerm(message.term, actions)) return;
  const bool first = link_.Welcome(message.heartbeat, now_);
  orphan_timeout_ = message.orphan_timeout;
  orphan_at_ = absl::InfiniteDuration();
  if (!first) return;
  if (leaving_) SendTo(NodeLeaving{leave_by_ - now_, leaving_reason_}, actions);
  SendExits(/*all=*/true, actions);
  for (auto it = preflights_.begin(); it != preflights_.end();) {
    const bool done = !it->second.job_id.empty();
    if (done) SendTo(it->second, actions);
    it = done ? preflights_.erase(it) : std::next(it);
  }
}

void AgentCore::Hear(const DesiredSet& message, Actions* actions) {
  if (!AcceptTerm(message.term, actions)) return;
  if (!message.full && message.base_revision != desired_revision_) {
    // A hole in the deltas: the registration brings the full level again.
    return Lose(/*close=*/true, actions);
  }
  desired_revision_ = message.revision;
  std::set<uint64_t> wanted;
  for (const DesiredTask& task : message.tasks) {
    wanted.insert(task.task_uid);
    Want(task, actions);
  }
  const std::string unwanted = "the coordinator does not want it any more";
  if (message.full) {
    for (const auto& [uid, task] : tasks_) {
      if (wanted.count(uid) == 0) Stop(uid, options_.orphan_grace, unwanted, actions);
    }
  }
  for (uint64_t uid : message.removed) Stop(uid, options_.orphan_grace, unwanted, actions);
  SendTo(actual(), actions);
}

void AgentCore::Hear(const ExitAcks& message, Actions* actions) {
  for (uint64_t uid : message.task_uids) {
    const auto found = tasks_.find(uid);
    if (found == tasks_.end() || found->second.phase != TaskPhase::kExited) continue;
    tasks_.erase(found);
    finished_.insert(uid);
    if (finished_.size() > kFinishedKept) finished_.erase(finished_.begin());
    actions->push_back(ForgetTask{uid});
  }
  ExitWhenEmpty(actions);
}

void AgentCore::Hear(const PreflightOrder& message, Actions* actions) {
  const auto key = std::make_pair(message.job_id, message.epoch);
  if (!preflights_.emplace(key, PreflightReport{}).second) return;
  actions->push_back(RunPreflight{message});
}

void AgentCore::Hear(const HeartbeatAck& message, Actions* actions) {
  AcceptTerm(message.term, actions);
}

void AgentCore::Open(Actions* actions) {
  actions->push_back(OpenStream{link_.Open(now_)});
  SendTo(Register{options_.offer, link_.highest_term(), actual()}, actions);
}

void AgentCore::Lose(bool close, Actions* actions) {
  if (close) actions->push_back(CloseStream{link_.stream()});
  if (link_.open()) orphan_at_ = now_ + orphan_timeout_;
  link_.Lose(now_);
}

bool AgentCore::AcceptTerm(uint64_t term, Actions* actions) {
  if (link_.AcceptTerm(term)) return true;
  Lose(/*close=*/true, actions);
  return false;
}

void AgentCore::Want(const DesiredTask& wanted, Actions* actions) {
  const uint64_t uid = wanted.task_uid;
  const bool known = tasks_.count(uid) != 0;
  if (finished_.count(uid) != 0) return;
  if (known) {
    if (wanted.stop) Stop(uid, wanted.grace, "the coordinator stops it", actions);
    return;
  }
  Task& task = tasks_[uid];
  if (!wanted.stop && !leaving_) {
    actions->push_back(StartTask{wanted});
    return;
  }
  // It never ran here; its exit frees the slot.
  task.phase = TaskPhase::kExited;
  task.end.end_class = leaving_ ? EndClass::kDrained : EndClass::kCancelled;
  task.end.message = leaving_ ? absl::StrCat("node ", options_.offer.node, " is leaving")
                              : "stopped before it was started";
  task.resend_at = now_;
  SendExits(/*all=*/false, actions);
}

void AgentCore::Stop(uint64_t task_uid, absl::Duration grace, const std::string& reason,
                     Actions* actions) {
  const auto found = tasks_.find(task_uid);
  if (found == tasks_.end() || found->second.phase == TaskPhase::kExited) return;
  Task& task = found->second;
  task.kill_at = std::min(task.kill_at, now_ + std::max(grace, absl::ZeroDuration()));
  if (task.phase == TaskPhase::kStopping) return;
  task.phase = TaskPhase::kStopping;
  actions->push_back(SignalTask{task_uid, /*kill=*/false, reason});
}

void AgentCore::StopEverything(absl::Duration grace, const std::string& reason,
                               Actions* actions) {
  for (const auto& [uid, task] : tasks_) Stop(uid, grace, reason, actions);
}

void AgentCore::SendExits(bool all, Actions* actions) {
  if (!link_.open()) return;
  for (auto& [uid, task] : tasks_) {
    if (task.phase != TaskPhase::kExited || (!all && now_ < task.resend_at)) continue;
    SendTo(ExitReport{uid, task.end}, actions);
    task.resend_at = now_ + options_.exit_resend;
  }
}

void AgentCore::SendTo(AgentSays message, Actions* actions) {
  actions->push_back(Say{link_.stream(), std::move(message)});
}

void AgentCore::ExitWhenEmpty(Actions* actions) {
  if (!leaving_ || gone()) return;
  bool alive = false;
  for (const auto& [uid, task] : tasks_) alive |= task.phase != TaskPhase::kExited;
  // Exits nobody acknowledges are told by the next registration: without the task the slot is free.
  if (!tasks_.empty() && (alive || (link_.open() && now_ < leave_by_))) return;
  link_.End();
  actions->push_back(ExitAgent{leaving_reason_});
}

}  // namespace trainyard::agent
