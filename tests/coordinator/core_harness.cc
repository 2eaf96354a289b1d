#include "tests/coordinator/core_harness.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace trainyard::coordinator {

Resources Asks(int gpus, int64_t cpu_milli) {
  Resources resources;
  resources.gpus = gpus;
  resources.cpu_milli = cpu_milli;
  resources.memory_bytes = int64_t{1} << 30;
  return resources;
}

JobDraft TrainDraft(const std::string& name, int trainers, const Resources& each) {
  JobDraft draft;
  draft.name = name;
  draft.shape.kind = "sft";
  draft.shape.run_uri = absl::StrCat("root://runs/", name);
  draft.shape.preflight = false;
  RoleShape trainer;
  trainer.name = "trainer";
  trainer.count = trainers;
  trainer.resources = each;
  draft.shape.roles = {trainer};
  return draft;
}

JobDraft PpoDraft(const std::string& name, int rollouts) {
  JobDraft draft = TrainDraft(name, 1, Asks(0, 100));
  draft.shape.kind = "ppo";
  draft.shape.roles[0].name = "controller";
  RoleShape learner = draft.shape.roles[0];
  learner.name = "learner";
  learner.resources = Asks(0, 1000);
  RoleShape rollout = learner;
  rollout.name = "rollout";
  rollout.count = rollouts;
  rollout.elastic = true;
  draft.shape.roles.push_back(learner);
  draft.shape.roles.push_back(rollout);
  return draft;
}

CoreHarness::CoreHarness(CoreOptions options) : options_(options) { Restart(); }

void CoreHarness::Restart() {
  store_ = std::make_unique<SimStore>(&disk_, [](absl::StatusOr<int64_t>) {});
  core_ = std::make_unique<Core>(options_, *store_->Load(), now_);
  tasks_.clear();
  for (auto& [name, node] : nodes_) node.session = 0;
}

const Decision& CoreHarness::Step(const Event& event) {
  last_ = core_->Step(event, now_);
  if (last_.batch != nullptr) store_->Write(last_.batch);
  store_->Sync(store_->pending());
  for (const Outgoing& outgoing : last_.orders) {
    const auto* set = std::get_if<DesiredSet>(&outgoing.order);
    for (const auto& [name, node] : nodes_) {
      if (set != nullptr && node.session == outgoing.session) desired_[name] = *set;
    }
  }
  return last_;
}

void CoreHarness::Pass(absl::Duration how_long) {
  for (const absl::Time end = now_ + how_long; now_ < end;) {
    now_ += absl::Milliseconds(100);
    for (const auto& [name, node] : nodes_) {
      if (node.session != 0) Step(AgentHeartbeat{node.session, 1});
    }
    Step(Tick{});
  }
}

const Decision& CoreHarness::DoDue() {
  if (core_->DueAt() != absl::InfiniteFuture()) now_ = core_->DueAt();
  return Step(Due{});
}

absl::Status CoreHarness::answer() const {
  return last_.replies.empty() ? absl::UnknownError("no reply") : last_.replies.back().status;
}

std::string CoreHarness::Submit(const JobDraft& draft) {
  SubmitJob submit;
  submit.call = next_call_++;
  submit.principal = "alice";
  submit.job = draft;
  submit.job.id = absl::StrCat("job-", next_id_++);
  submit.job.secret = absl::StrCat("secret of ", submit.job.id);
  submit.request_id = submit.body_digest = submit.job.id;
  Step(submit);
  return submit.job.id;
}

absl::Status CoreHarness::Change(JobVerb verb, const std::string& job) {
  Step(ChangeJob{next_call_++, "alice", verb, job, ""});
  return answer();
}

absl::Status CoreHarness::Scale(const std::string& job, const std::string& role, int count) {
  Step(ScaleJob{next_call_++, "alice", job, role, count});
  return answer();
}

SessionId CoreHarness::Register(const std::string& node, int gpus, int64_t cpu_milli,
                                const std::vector<ActualTask>& actual) {
  NodeClient& client = nodes_[node];
  client.session = next_session_++;
  client.offer = {};
  client.offer.host = absl::StrCat("host-of-", node);
  client.offer.cpu_milli = cpu_milli;
  client.offer.memory_bytes = int64_t{64} << 30;
  client.offer.roots = {{"runs", "cluster-1"}};
  for (int i = 0; i < gpus; ++i) {
    client.offer.gpus.push_back({absl::StrCat(node, "-gpu-", i), "H200", int64_t{141} << 30});
  }
  Step(AgentRegister{client.session, node, client.nonce, client.offer, 0, actual});
  return client.session;
}

std::map<uint64_t, DesiredTask> CoreHarness::DesiredOf(const std::string& node) const {
  std::map<uint64_t, DesiredTask> tasks;
  const auto it = desired_.find(node);
  if (it == desired_.end()) return tasks;
  for (const DesiredTask& task : it->second.tasks) tasks[task.task_uid] = task;
  return tasks;
}

void CoreHarness::Disconnect(const std::string& node) {
  const SessionId session = nodes_.at(node).session;
  nodes_.at(node).session = 0;
  Step(AgentSessionLost{session});
}

void CoreHarness::ExitOf(uint64_t task_uid, EndClass end_class, const std::string& message) {
  EndReason end;
  end.end_class = end_class;
  end.message = message;
  Step(AgentTaskExit{nodes_.at(task(task_uid).node).session, task_uid, end});
}

TaskIdentity CoreHarness::Identity(uint64_t task_uid) const {
  const TaskRecord& record = disk_.tasks.at(task_uid);
  return {record.job_id, record.epoch, task_uid, disk_.jobs.at(record.job_id).secret};
}

SessionId CoreHarness::Hello(uint64_t task_uid, bool ready) {
  const TaskIdentity who = Identity(task_uid);
  const SessionId session = next_session_++;
  tasks_[task_uid] = session;
  Step(TaskHello{session, who.job_id, who.epoch, task_uid, who.secret, 0, "numerics",
                 ready ? absl::StrCat("10.0.0.1:", task_uid) : "", ready});
  return session;
}

void CoreHarness::End(uint64_t task_uid, EndClass end_class, const std::string& message) {
  EndReason end;
  end.end_class = end_class;
  end.message = message;
  Step(TaskEnd{tasks_.at(task_uid), end});
}

void CoreHarness::Progress(uint64_t task_uid, const std::string& phase, int64_t step) {
  Step(TaskProgress{tasks_.at(task_uid), {phase, step}});
}

absl::Status CoreHarness::Commit(uint64_t task_uid, int64_t step, int keep) {
  CommitCheckpoint commit;
  commit.call = next_call_++;
  commit.task = Identity(task_uid);
  commit.request_id = absl::StrCat("commit-", commit.task.epoch, "-", step);
  commit.step = step;
  commit.uri = absl::StrCat(disk_.jobs.at(commit.task.job_id).shape->run_uri, "/e",
                            commit.task.epoch, "/step-", step);
  commit.manifest_sha256 = std::string(64, 'a');
  commit.keep = keep;
  Step(commit);
  return answer();
}

absl::Status CoreHarness::Finish(uint64_t task_uid, const std::string& output) {
  FinishJob finish;
  finish.call = next_call_++;
  finish.task = Identity(task_uid);
  finish.request_id = absl::StrCat("finish-", task_uid);
  ArtifactRow row;
  row.name = output;
  row.uri = "root://runs/out";
  row.manifest_sha256 = std::string(64, 'b');
  finish.outputs = {row};
  Step(finish);
  return answer();
}

void CoreHarness::AllReady(const std::string& job) {
  for (const auto& [name, record] : TasksOf(job)) {
    if (Reachable(record)) Hello(record.task_uid);
  }
}

void CoreHarness::AllExit(const std::string& job, EndClass end_class) {
  for (uint64_t uid : std::set<uint64_t>(state().jobs.at(job).tasks)) {
    if (state().tasks.count(uid) > 0 && HoldsSlot(task(uid))) ExitOf(uid, end_class);
  }
}

std::map<std::string, TaskRecord> CoreHarness::TasksOf(const std::string& job) const {
  std::map<std::string, TaskRecord> tasks;
  for (uint64_t uid : state().jobs.at(job).tasks) {
    const TaskRecord& record = state().tasks.at(uid).record;
    tasks[TaskName(record)] = record;
  }
  return tasks;
}

std::vector<std::string> CoreHarness::Noted() const {
  std::vector<std::string> types;
  if (last_.batch == nullptr) return types;
  for (const EventRow& event : last_.batch->events) types.push_back(event.type);
  return types;
}

}  // namespace trainyard::coordinator
