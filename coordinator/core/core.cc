#include "coordinator/core/core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/core/attempt.h"
#include "coordinator/core/checkpoints.h"
#include "coordinator/core/draft.h"
#include "coordinator/core/elastic.h"
#include "coordinator/core/explain.h"
#include "coordinator/core/hang.h"
#include "coordinator/core/membership.h"
#include "coordinator/core/orders.h"
#include "coordinator/core/pipelines.h"
#include "coordinator/core/queue.h"
#include "coordinator/core/state.h"
#include "coordinator/core/submit.h"
#include "coordinator/core/task_session.h"
#include "coordinator/core/verbs.h"

namespace trainyard::coordinator {
namespace {

// Looks within waiting_limit: it is overdrawn by no more than a look.
constexpr int kLooksAtWaiting = 1000;

void ExpireWaiting(Draft& draft, Job& job) {
  const bool waits = job.record.state == JobState::kBlocked ||
                     job.record.state == JobState::kQueued || job.record.state == JobState::kPaused;
  const absl::Duration limit = draft.options().waiting_limit;
  if (!waits || draft.now() - job.record.state_since < limit) return;
  const std::string message =
      absl::StrCat("it was ", JobStateName(job.record.state), " for ", absl::FormatDuration(limit));
  draft.Edit(job).end = {EndClass::kDeadline, message};
  draft.MoveJob(job, JobMove::kFail, message);
  draft.NoteJob("job.fail", job, message);
}

void OnTick(Draft& draft) {
  State& state = draft.state();
  ExpireLeases(draft);
  for (const std::string& id : state.active) {
    DetectHangs(draft, *state.FindJob(id));
    draft.Stir(id);
  }
  if (draft.now() < state.look_at_waiting) return;
  state.look_at_waiting = draft.now() + draft.options().waiting_limit / kLooksAtWaiting;
  const std::set<std::string> live = state.live;
  for (const std::string& id : live) ExpireWaiting(draft, *state.FindJob(id));
}

void OnStoreCondition(Draft& draft, const StoreCondition& event) {
  draft.state().read_only_reason = event.read_only_reason;
  draft.state().schedule = true;
}

// Each event to the file of its duty.
struct Dispatch {
  Draft& draft;

  void operator()(const SubmitJob& event) { OnSubmitJob(draft, event); }
  void operator()(const SubmitPipeline& event) { OnSubmitPipeline(draft, event); }
  void operator()(const ChangeJob& event) { OnChangeJob(draft, event); }
  void operator()(const ChangePipeline& event) { OnChangePipeline(draft, event); }
  void operator()(const ScaleJob& event) { OnScaleJob(draft, event); }
  void operator()(const CordonNode& event) { OnCordonNode(draft, event); }
  void operator()(const DrainNode& event) { OnDrainNode(draft, event); }
  void operator()(const AgentRegister& event) { OnAgentRegister(draft, event); }
  void operator()(const AgentHeartbeat& event) { OnAgentHeartbeat(draft, event); }
  void operator()(const AgentActualSet& event) { OnAgentActualSet(draft, event); }
  void operator()(const AgentTaskExit& event) { OnAgentTaskExit(draft, event); }
  void operator()(const AgentPreflight& event) { OnAgentPreflight(draft, event); }
  void operator()(const AgentLeaving& event) { OnAgentLeaving(draft, event); }
  void operator()(const AgentSessionLost& event) { OnAgentSessionLost(draft, event); }
  void operator()(const TaskHello& event) { OnTaskHello(draft, event); }
  void operator()(const TaskReady& event) { OnTaskReady(draft, event); }
  void operator()(const TaskProgress& event) { OnTaskProgress(draft, event); }
  void operator()(const TaskEnd& event) { OnTaskEnd(draft, event); }
  void operator()(const TaskHeartbeat& event) { OnTaskHeartbeat(draft, event); }
  void operator()(const TaskSessionLost& event) { OnTaskSessionLost(draft, event); }
  void operator()(const CommitCheckpoint& event) { OnCommitCheckpoint(draft, event); }
  void operator()(const FinishJob& event) { OnFinishJob(draft, event); }
  void operator()(const Tick&) { OnTick(draft); }
  void operator()(const Due&) {}  // every step does what is due
  void operator()(const StoreCondition& event) { OnStoreCondition(draft, event); }
};

// Looks again at every job that something happened to, until nothing more follows.
void ReviewStirred(Draft& draft) {
  State& state = draft.state();
  for (auto stirred = draft.TakeStirred(); !stirred.empty(); stirred = draft.TakeStirred()) {
    for (const std::string& id : stirred) {
      Job& job = *state.FindJob(id);
      if (job.record.state == JobState::kBlocked) ReviewUpstream(draft, job);
      if (job.record.state != JobState::kActive) continue;
      ReviewAttempt(draft, job);
      if (job.record.state == JobState::kActive) ShrinkElastic(draft, job);
    }
  }
}

// Nothing starts while the store has no space for its end.
absl::Time PassDueAt(const State& state) {
  if (!state.schedule || !state.read_only_reason.empty()) return absl::InfiniteFuture();
  return state.last_pass + state.options.pass_spacing;
}

// Whoever waits for room gets what there is: the least that running jobs need, then the queue, then
// what running jobs would like.
void Schedule(Draft& draft) {
  State& state = draft.state();
  EndBackoffs(state, draft.now());
  if (PassDueAt(state) > draft.now()) return;
  state.schedule = false;
  state.last_pass = draft.now();
  FillElastic(draft, FillTo::kGang);
  RunQueue(draft);
  FillElastic(draft, FillTo::kWanted);
}

}  // namespace

Core::Core(CoreOptions options, Snapshot snapshot, absl::Time now)
    : state_(std::make_unique<State>(options, std::move(snapshot), now)) {}

Core::~Core() = default;

Decision Core::Step(const Event& event, absl::Time now) {
  State& state = *state_;
  now = std::max(now, state.last_step);
  const absl::Duration gap = now - state.last_step;
  if (gap > state.options.step_gap) StretchLeases(state, gap);
  Draft draft(&state, now);
  std::visit(Dispatch{draft}, event);
  ReviewStirred(draft);
  Schedule(draft);
  ReviewStirred(draft);
  SendLevels(draft);
  state.last_step = now;
  return draft.Finish();
}

absl::Time Core::DueAt() const {
  const State& state = *state_;
  const absl::Time backoff =
      state.backoff_ends.empty() ? absl::InfiniteFuture() : *state.backoff_ends.begin();
  return std::min({LevelsDueAt(state), PassDueAt(state), backoff});
}

int64_t Core::revision() const { return state_->revision; }

uint64_t Core::term() const { return state_->term; }

absl::StatusOr<Explanation> Core::Explain(const std::string& job_id) const {
  const Job* job = state_->FindJob(job_id);
  if (job == nullptr) return absl::NotFoundError(absl::StrCat("there is no job ", job_id));
  return ExplainJob(*state_, *job, state_->last_step);
}

std::vector<NodeView> Core::Nodes() const {
  std::vector<NodeView> views;
  for (const auto& [name, node] : state_->nodes) {
    NodeView view{node.record, node.session != 0, node.last_heard};
    for (uint64_t uid : node.tasks) {
      const TaskRecord& task = state_->tasks.at(uid).record;
      view.cpu_milli_used += task.resources.cpu_milli;
      view.memory_bytes_used += task.resources.memory_bytes;
      view.tasks.push_back(task);
    }
    views.push_back(std::move(view));
  }
  return views;
}

std::optional<Progress> Core::TaskProgressOf(uint64_t task_uid) const {
  const Task* task = state_->FindTask(task_uid);
  return task == nullptr ? std::nullopt : task->progress;
}

std::optional<Progress> Core::JobProgressOf(const std::string& job_id) const {
  const Job* job = state_->FindJob(job_id);
  if (job == nullptr) return std::nullopt;
  std::optional<Progress> progress;
  for (uint64_t uid : job->tasks) {
    const Task& task = state_->tasks.at(uid);
    const bool leads = !task.record.elastic && task.record.index == 0 &&
                       task.record.attempt == job->attempt.number && task.progress.has_value();
    if (!leads) continue;
    if (!progress.has_value() || task.record.role == "controller") progress = task.progress;
  }
  return progress;
}

std::string Core::JobOfSession(SessionId session) const {
  const auto it = state_->task_sessions.find(session);
  if (it == state_->task_sessions.end()) return "";
  return state_->tasks.at(it->second).record.job_id;
}

const State& Core::state() const { return *state_; }

}  // namespace trainyard::coordinator
