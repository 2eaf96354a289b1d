// The session half of wire.h: what agents and tasks say, and what they are told.

#include "coordinator/spec_roles.h"
#include "coordinator/wire.h"

namespace trainyard::coordinator {
namespace {

std::vector<ActualTask> TasksFromWire(const v1::AgentActualSet& message) {
  std::vector<ActualTask> tasks;
  for (const v1::ActualTask& task : message.tasks()) {
    tasks.push_back({task.task_uid(), static_cast<TaskState>(task.state())});
  }
  return tasks;
}

v1::Resources ToWire(const Resources& resources) {
  v1::Resources message;
  message.set_gpus(resources.gpus);
  message.set_cpu_milli(resources.cpu_milli);
  message.set_memory_bytes(resources.memory_bytes);
  message.mutable_node_selector()->insert(resources.node_selector.begin(),
                                          resources.node_selector.end());
  message.set_device_group(resources.device_group);
  message.set_gpu_memory_fraction(resources.gpu_memory_fraction);
  return message;
}

void Fill(const DesiredTask& task, v1::DesiredTask* message) {
  message->set_task_uid(task.task_uid);
  message->set_stop(task.stop);
  message->set_grace_seconds(absl::ToDoubleSeconds(task.grace));
  message->set_binary(BinaryOf(task.assignment.kind, task.assignment.role));
  if (task.stop) return;
  message->set_assignment(ToWire(task.assignment).SerializeAsString());
  *message->mutable_resources() = ToWire(task.assignment.resources);
  message->mutable_gpus()->Assign(task.assignment.gpus.begin(), task.assignment.gpus.end());
}

void Fill(const PeerSet& set, v1::Peers* message) {
  message->set_revision(set.revision);
  for (const Peer& peer : *set.peers) {
    v1::Peer* added = message->add_peers();
    added->set_task_uid(peer.task_uid);
    added->set_role(peer.role);
    added->set_index(peer.index);
    added->set_endpoint(peer.endpoint);
    added->set_ready(peer.ready);
    added->set_draining(peer.draining);
    added->set_node(peer.node);
    added->set_numerics_id(peer.numerics_id);
  }
}

// Overloads per order: what an agent is told...
struct AgentFill {
  v1::CoordinatorToAgent* out;
  void operator()(const AgentRegistered& order) const {
    v1::AgentRegistered* message = out->mutable_registered();
    message->set_term(order.term);
    message->set_incarnation(order.incarnation);
    message->set_lease_seconds(absl::ToDoubleSeconds(order.lease));
    message->set_heartbeat_seconds(absl::ToDoubleSeconds(order.heartbeat_interval));
    message->set_orphan_timeout_seconds(absl::ToDoubleSeconds(order.orphan_timeout));
  }
  void operator()(const DesiredSet& order) const {
    v1::DesiredTasks* message = out->mutable_desired();
    message->set_term(order.term);
    message->set_revision(order.revision);
    message->set_full(true);
    for (const DesiredTask& task : order.tasks) Fill(task, message->add_tasks());
  }
  void operator()(const ExitAcks& order) const {
    out->mutable_acks()->mutable_task_uids()->Assign(order.task_uids.begin(),
                                                     order.task_uids.end());
  }
  void operator()(const PreflightOrder& order) const {
    v1::PreflightRequest* message = out->mutable_preflight();
    message->set_job_id(order.job_id);
    message->set_epoch(order.epoch);
    message->set_assignment(ToWire(order.assignment).SerializeAsString());
  }
  void operator()(const HeartbeatAck& order) const {
    out->mutable_heartbeat()->set_sequence(order.sequence);
    out->mutable_heartbeat()->set_term(order.term);
  }
  template <typename Other>
  void operator()(const Other&) const {}
};

// ...and what a task is told.
struct TaskFill {
  v1::CoordinatorToTask* out;
  void operator()(const TaskWelcome& order) const {
    out->mutable_welcome()->set_term(order.term);
    out->mutable_welcome()->set_heartbeat_seconds(absl::ToDoubleSeconds(order.heartbeat_interval));
  }
  void operator()(const PeerSet& order) const { Fill(order, out->mutable_peers()); }
  void operator()(const StopOrder& order) const {
    out->mutable_stop()->set_checkpoint(order.checkpoint);
    out->mutable_stop()->set_grace_seconds(absl::ToDoubleSeconds(order.grace));
    out->mutable_stop()->set_reason(order.reason);
  }
  void operator()(const HeartbeatAck& order) const {
    out->mutable_heartbeat()->set_sequence(order.sequence);
    out->mutable_heartbeat()->set_term(order.term);
  }
  void operator()(const EndAck&) const { out->mutable_end(); }
  template <typename Other>
  void operator()(const Other&) const {}
};

}  // namespace

AgentRegister FromWire(const v1::AgentRegister& message, SessionId session) {
  AgentRegister event;
  event.session = session;
  event.node = message.node();
  event.process_nonce = message.process_nonce();
  event.highest_term = message.highest_term();
  event.actual = TasksFromWire(message.actual());
  event.offer.host = message.host();
  event.offer.advertise = message.advertise();
  for (const v1::Gpu& gpu : message.gpus()) {
    event.offer.gpus.push_back({gpu.uuid(), gpu.kind(), gpu.memory_bytes()});
  }
  event.offer.cpu_milli = message.cpu_milli();
  event.offer.memory_bytes = message.memory_bytes();
  event.offer.labels = {message.labels().begin(), message.labels().end()};
  for (const v1::RootProof& root : message.roots()) {
    event.offer.roots[root.name()] = root.cluster_id();
  }
  event.offer.version = message.version();
  return event;
}

AgentActualSet FromWire(const v1::AgentActualSet& message, SessionId session) {
  return {session, message.desired_revision(), TasksFromWire(message)};
}

Event FromAgent(const v1::AgentMessage& message, SessionId session) {
  switch (message.message_case()) {
    case v1::AgentMessage::kRegister:
      return FromWire(message.register_(), session);
    case v1::AgentMessage::kHeartbeat:
      return AgentHeartbeat{session, message.heartbeat().sequence()};
    case v1::AgentMessage::kActual:
      return FromWire(message.actual(), session);
    case v1::AgentMessage::kExit:
      return AgentTaskExit{session, message.exit().task_uid(), FromWire(message.exit().end())};
    case v1::AgentMessage::kPreflight:
      return AgentPreflight{session, message.preflight().job_id(), message.preflight().epoch(),
                            message.preflight().ok(), FromWire(message.preflight().problem())};
    case v1::AgentMessage::kLeaving:
      return AgentLeaving{session, absl::Seconds(message.leaving().deadline_seconds()),
                          message.leaving().reason()};
    case v1::AgentMessage::MESSAGE_NOT_SET:
      return Tick{};
  }
  return Tick{};
}

Event FromTask(const v1::TaskMessage& message, SessionId session) {
  switch (message.message_case()) {
    case v1::TaskMessage::kHello:
      return TaskHello{.session = session,
                       .job_id = message.hello().job_id(),
                       .epoch = message.hello().epoch(),
                       .task_uid = message.hello().task_uid(),
                       .secret = message.hello().secret(),
                       .highest_term = message.hello().highest_term(),
                       .numerics_id = message.hello().numerics_id(),
                       .endpoint = message.hello().endpoint(),
                       .ready = message.hello().ready()};
    case v1::TaskMessage::kReady:
      return TaskReady{session, message.ready().endpoint(), message.ready().numerics_id()};
    case v1::TaskMessage::kProgress:
      return TaskProgress{session, FromWire(message.progress())};
    case v1::TaskMessage::kEnd:
      return TaskEnd{session, FromWire(message.end())};
    case v1::TaskMessage::kHeartbeat:
      return TaskHeartbeat{session, message.heartbeat().sequence()};
    case v1::TaskMessage::kMetrics:
    case v1::TaskMessage::MESSAGE_NOT_SET:
      return Tick{};
  }
  return Tick{};
}

v1::CoordinatorToAgent ToAgent(const Order& order) {
  v1::CoordinatorToAgent message;
  std::visit(AgentFill{&message}, order);
  return message;
}

v1::CoordinatorToTask ToTask(const Order& order) {
  v1::CoordinatorToTask message;
  std::visit(TaskFill{&message}, order);
  return message;
}

v1::TaskAssignment ToWire(const Assignment& assignment) {
  v1::TaskAssignment message;
  message.set_job_id(assignment.job_id);
  message.set_job_name(assignment.job_name);
  message.set_epoch(assignment.epoch);
  message.set_attempt(assignment.attempt);
  message.set_task_uid(assignment.task_uid);
  message.set_secret(assignment.secret);
  message.set_term(assignment.term);
  message.set_role(assignment.role);
  message.set_index(assignment.index);
  message.set_role_count(assignment.role_count);
  if (assignment.spec != nullptr) message.mutable_spec()->ParseFromString(*assignment.spec);
  for (const auto& [reference, artifact] : assignment.inputs) {
    (*message.mutable_artifacts())[reference] = ToWire(artifact);
  }
  for (const CheckpointRow& row : assignment.restore) *message.add_restore() = ToWire(row);
  message.set_run_uri(assignment.run_uri);
  message.set_threads(assignment.threads);
  message.mutable_gpus()->Assign(assignment.gpus.begin(), assignment.gpus.end());
  message.set_node(assignment.node);
  return message;
}

}  // namespace trainyard::coordinator
