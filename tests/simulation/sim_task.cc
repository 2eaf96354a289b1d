#include "tests/simulation/sim_task.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/simulation/translate.h"

namespace trainyard::simulation {
namespace {

using coordinator::Reply;

coordinator::TaskIdentity IdentityOf(const coordinator::Assignment& assignment) {
  return {assignment.job_id, assignment.epoch, assignment.task_uid, assignment.secret};
}

task::SessionCoreOptions SessionOptions(const coordinator::Assignment& assignment) {
  task::SessionCoreOptions options;
  options.job_id = assignment.job_id;
  options.epoch = assignment.epoch;
  options.task_uid = assignment.task_uid;
  options.secret = assignment.secret;
  options.link.term = assignment.term;
  options.link.random_key = assignment.task_uid;
  return options;
}

bool Stale(const absl::Status& status) {
  return absl::IsAborted(status) || absl::IsPermissionDenied(status);
}

}  // namespace

void PeerBoard::Add(SimTask* task) { tasks_[task->assignment().task_uid] = task; }

void PeerBoard::Remove(SimTask* task) { tasks_.erase(task->assignment().task_uid); }

void PeerBoard::Died(const SimTask& dead) {
  if (dead.elastic()) return;
  for (auto& [uid, task] : tasks_) {
    const bool peer = task->assignment().job_id == dead.assignment().job_id &&
                      task->assignment().epoch == dead.assignment().epoch;
    if (peer && !task->elastic() && task != &dead) task->LosePeer();
  }
}

SimTask::SimTask(const Surroundings& surroundings, const coordinator::Assignment& assignment)
    : Actor(surroundings.world),
      around_(surroundings),
      assignment_(assignment),
      client_(surroundings.network->Join(this, assignment.node)),
      session_(SessionOptions(assignment)) {
  // The ranks of a job agree on its shape.
  const CounterRandom plan(DeriveKey(world_.seed(), assignment.job_id));
  total_steps_ = 4 + static_cast<int64_t>(plan.Below(20, 0));
  checkpoint_every_ = 2 + static_cast<int64_t>(plan.Below(5, 1));
  step_time_ = absl::Milliseconds(100 + plan.Below(900, 2));
  if (!assignment.restore.empty()) step_ = committed_ = assignment.restore.front().step;
  around_.board->Add(this);
  Later(world_.Between(absl::Milliseconds(50), absl::Milliseconds(500)),
        [this] { Feed(task::Start{}); });
  Later(world_.Between(absl::Milliseconds(500), absl::Seconds(3)), [this] { BecomeReady(); });
}

SimTask::~SimTask() {
  around_.board->Remove(this);
  around_.network->Leave(client_);
}

bool SimTask::leader() const {
  const std::string leads = assignment_.kind == "ppo" ? "controller" : "trainer";
  return assignment_.role == leads && assignment_.index == 0;
}

void SimTask::OnOrder(int64_t stream, const coordinator::Order& order) {
  if (auto message = ToTask(order)) Feed(task::Received{stream, *std::move(message)});
}

void SimTask::OnClosed(int64_t stream, const absl::Status& status) {
  streams_.erase(stream);
  Feed(task::StreamClosed{stream, status});
}

void SimTask::Feed(const task::SessionEvent& event) {
  if (gone_) return;
  for (const task::SessionAction& action : session_.Step(event, world_.now())) {
    if (!gone_) Do(action);
  }
  if (!gone_) ScheduleTick();
}

void SimTask::Do(const task::SessionAction& action) {
  if (const auto* open = std::get_if<task::OpenStream>(&action)) {
    streams_[open->stream] = around_.network->Open(client_, open->stream, [](SessionId session) {
      return coordinator::TaskSessionLost{session};
    });
  } else if (const auto* close = std::get_if<task::CloseStream>(&action)) {
    const auto it = streams_.find(close->stream);
    if (it != streams_.end()) around_.network->CloseFromClient(it->second);
  } else if (const auto* say = std::get_if<task::Say>(&action)) {
    const auto it = streams_.find(say->stream);
    if (it == streams_.end()) return;
    if (auto event = ToEvent(it->second, say->message)) {
      around_.network->ToServer(it->second, *std::move(event));
    }
  } else if (std::holds_alternative<task::PeersChanged>(action)) {
    TryToBegin();
  } else if (std::holds_alternative<task::StopChanged>(action)) {
    StopNow();
  } else if (std::holds_alternative<task::SessionEnded>(action)) {
    Later(world_.Between(absl::Milliseconds(1), absl::Milliseconds(50)),
          [this] { Exit(Seen(EndClass::kSucceeded, "ended")); });
  } else if (const auto* abort = std::get_if<task::AbortProcess>(&action)) {
    const EndReason reason = abort->reason;
    ending_ = true;
    Later(world_.Between(absl::ZeroDuration(), absl::Seconds(1)),
          [this, reason] { Exit(Seen(reason.end_class, reason.message)); });
  }
}

void SimTask::ScheduleTick() {
  const absl::Duration next = session_.NextTick();
  if (next == absl::InfiniteDuration() || next == next_tick_) return;
  next_tick_ = next;
  Later(std::max(next - world_.now(), absl::Milliseconds(1)), [this, next] {
    if (next_tick_ != next) return;
    next_tick_ = absl::InfiniteDuration();
    Feed(task::Tick{});
  });
}

void SimTask::BecomeReady() {
  if (ending_) return;
  if (world_.Fault(0.01)) return End(EndClass::kUserError, "the model does not fit the tokenizer");
  Feed(task::LocalReady{{absl::StrCat(assignment_.node, ":", assignment_.task_uid), "sim"}});
  TryToBegin();
  if (elastic()) Step();
}

// Ranks begin together.
void SimTask::TryToBegin() {
  if (began_ || elastic()) return;
  int ready = 0;
  for (const task::Peer& peer : session_.peers().peers) {
    if (peer.role == assignment_.role && peer.ready) ++ready;
  }
  if (ready < assignment_.role_count) return;
  began_ = true;
  Step();
}

void SimTask::Report(const std::string& phase) {
  Feed(task::LocalProgress{{phase, step_, total_steps_}});
}

void SimTask::Step() {
  Later(step_time_, [this] {
    if (ending_ || stopping_) return;
    MaybeFail();
    if (ending_ || gone_ || hung_) return;
    if (elastic()) return Step();
    if (step_ < total_steps_) ++step_;
    Report("train");
    if (leader() && step_ >= total_steps_) return Finish(world_.Id("finish"));
    if (step_ >= total_steps_) return End(EndClass::kSucceeded, "done");
    if (leader() && step_ % checkpoint_every_ == 0) Commit([] {});
    Step();
  });
}

void SimTask::MaybeFail() {
  if (!world_.Fault(0.008)) return;
  switch (world_.Below(7)) {
    case 0:
      return Kill(EndClass::kSignal);
    case 1:
      return Kill(EndClass::kOutOfMemory);
    case 2:
    case 3:
      world_.Trace(absl::StrCat("fault: task ", assignment_.task_uid, " hangs"));
      hung_ = true;
      return;
    case 4:
      return End(EndClass::kDeviceError, "a device error");
    case 5:
      return End(world_.Chance(0.2) ? EndClass::kNan : EndClass::kInternal, "an error of its own");
    default:
      return Exit(Seen(EndClass::kInternal, "died without a word"));
  }
}

void SimTask::Commit(std::function<void()> then) {
  const bool nothing_new = step_ <= committed_;
  if (committing_ || nothing_new) return then();
  committing_ = true;
  SendCommit(world_.Id("commit"), step_, std::move(then));
}

void SimTask::SendCommit(const std::string& request_id, int64_t step, std::function<void()> then) {
  const auto make = [this, request_id, step](coordinator::CallId call) {
    coordinator::CommitCheckpoint commit;
    commit.call = call;
    commit.task = IdentityOf(assignment_);
    commit.request_id = request_id;
    commit.step = step;
    commit.uri = absl::StrCat(assignment_.run_uri, "/e", assignment_.epoch, "/step-", step);
    commit.manifest_sha256 = std::string(64, 'c');
    return commit;
  };
  around_.network->Call(client_, make, [this, request_id, step, then](const Reply& reply) {
    if (gone_) return;
    if (absl::IsUnavailable(reply.status)) return SendCommit(request_id, step, then);
    around_.invariants->OnAcknowledged(reply);
    committing_ = false;
    if (Stale(reply.status)) return Exit(Seen(EndClass::kDrained, "its epoch is over"));
    if (reply.status.ok()) committed_ = step;
    then();
  });
}

void SimTask::Finish(const std::string& request_id) {
  const auto make = [this, request_id](coordinator::CallId call) {
    coordinator::FinishJob finish;
    finish.call = call;
    finish.task = IdentityOf(assignment_);
    finish.request_id = request_id;
    coordinator::ArtifactRow output;
    output.name = "model";
    output.uri = absl::StrCat(assignment_.run_uri, "/e", assignment_.epoch, "/model");
    finish.outputs = {output};
    return finish;
  };
  around_.network->Call(client_, make, [this, request_id](const Reply& reply) {
    if (gone_) return;
    if (absl::IsUnavailable(reply.status)) return Finish(request_id);
    around_.invariants->OnAcknowledged(reply);
    if (Stale(reply.status)) return Exit(Seen(EndClass::kDrained, "its epoch is over"));
    End(EndClass::kSucceeded, "done");
  });
}

void SimTask::StopNow() {
  if (std::exchange(stopping_, true) || hung_) return;
  if (world_.Fault(0.03)) {
    world_.Trace(absl::StrCat("fault: task ", assignment_.task_uid, " ignores its stop"));
    return;
  }
  const auto end = [this] { End(EndClass::kDrained, "stopped"); };
  Later(world_.Between(absl::Milliseconds(10), absl::Milliseconds(800)), [this, end] {
    const bool save = leader() && session_.stop()->checkpoint;
    if (save) return Commit(end);
    end();
  });
}

void SimTask::Terminate() { Feed(task::LocalStop{{true, absl::Seconds(30), "TERM"}}); }

void SimTask::Kill(EndClass seen_as) { Exit(Seen(seen_as, "killed")); }

void SimTask::LosePeer() {
  if (ending_ || stopping_ || hung_ || world_.Chance(0.3)) return;
  Later(world_.Between(absl::Milliseconds(10), absl::Seconds(1)),
        [this] { End(EndClass::kPeerLost, "a peer is gone"); });
}

void SimTask::End(EndClass end_class, const std::string& message) {
  if (std::exchange(ending_, true)) return;
  EndReason reason;
  reason.end_class = end_class;
  reason.message = message;
  reason.step = step_;
  Feed(task::LocalEnd{reason});
  // It does not wait for an acknowledgement for ever.
  Later(absl::Seconds(5), [this, end_class, message] { Exit(Seen(end_class, message)); });
}

EndReason SimTask::Seen(EndClass end_class, const std::string& message) const {
  EndReason seen;
  seen.end_class = end_class;
  seen.message = message;
  seen.exit_code = end_class == EndClass::kSucceeded ? 0 : 1;
  seen.signal = end_class == EndClass::kSignal || end_class == EndClass::kOutOfMemory ? 9 : 0;
  return seen;
}

void SimTask::Exit(const EndReason& seen) {
  if (std::exchange(gone_, true)) return;
  if (seen.end_class != EndClass::kSucceeded) around_.board->Died(*this);
  Die();
  around_.on_exit(seen);
}

}  // namespace trainyard::simulation
