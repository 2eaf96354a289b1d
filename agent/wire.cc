#include "agent/wire.h"

#include "wire/records.h"

namespace trainyard::agent {
namespace {

v1::TaskState ToWire(TaskPhase phase) {
  switch (phase) {
    case TaskPhase::kStarting:
      return v1::TASK_STARTING;
    case TaskPhase::kRunning:
      return v1::TASK_RUNNING;
    case TaskPhase::kStopping:
      return v1::TASK_STOPPING;
    case TaskPhase::kExited:
      return v1::TASK_EXITED;
  }
  return v1::TASK_STATE_UNSPECIFIED;
}

void Fill(const ActualSet& actual, v1::AgentActualSet* wire) {
  wire->set_desired_revision(actual.desired_revision);
  for (const ActualTask& task : actual.tasks) {
    v1::ActualTask* to = wire->add_tasks();
    to->set_task_uid(task.task_uid);
    to->set_state(ToWire(task.phase));
    to->set_pid(task.pid);
  }
}

void Fill(const Register& message, v1::AgentMessage* wire) {
  v1::AgentRegister* to = wire->mutable_register_();
  const NodeOffer& offer = message.offer;
  to->set_node(offer.node);
  to->set_process_nonce(offer.process_nonce);
  to->set_host(offer.host);
  to->set_advertise(offer.advertise);
  for (const GpuDevice& gpu : offer.gpus) {
    v1::Gpu* added = to->add_gpus();
    added->set_uuid(gpu.uuid);
    added->set_kind(gpu.kind);
    added->set_memory_bytes(gpu.memory_bytes);
  }
  to->set_cpu_milli(offer.cpu_milli);
  to->set_memory_bytes(offer.memory_bytes);
  to->mutable_labels()->insert(offer.labels.begin(), offer.labels.end());
  for (const RootProof& root : offer.roots) {
    v1::RootProof* added = to->add_roots();
    added->set_name(root.name);
    added->set_cluster_id(root.cluster_id);
  }
  to->set_version(offer.version);
  to->set_highest_term(message.highest_term);
  Fill(message.actual, to->mutable_actual());
}

void Fill(const Heartbeat& message, v1::AgentMessage* wire) {
  wire->mutable_heartbeat()->set_sequence(message.sequence);
}

void Fill(const ActualSet& message, v1::AgentMessage* wire) {
  Fill(message, wire->mutable_actual());
}

void Fill(const ExitReport& message, v1::AgentMessage* out) {
  out->mutable_exit()->set_task_uid(message.task_uid);
  *out->mutable_exit()->mutable_end() = wire::ToWire(message.end);
}

void Fill(const PreflightReport& message, v1::AgentMessage* out) {
  v1::PreflightResult* to = out->mutable_preflight();
  to->set_job_id(message.job_id);
  to->set_epoch(message.epoch);
  to->set_ok(message.ok);
  if (!message.ok) *to->mutable_problem() = wire::ToWire(message.problem);
}

void Fill(const NodeLeaving& message, v1::AgentMessage* wire) {
  wire->mutable_leaving()->set_deadline_seconds(absl::ToDoubleSeconds(message.deadline));
  wire->mutable_leaving()->set_reason(message.reason);
}

DesiredSet FromWire(const v1::DesiredTasks& wire) {
  DesiredSet set;
  set.term = wire.term();
  set.revision = wire.revision();
  set.full = wire.full();
  set.base_revision = wire.base_revision();
  for (const v1::DesiredTask& task : wire.tasks()) {
    DesiredTask& to = set.tasks.emplace_back();
    to.task_uid = task.task_uid();
    to.stop = task.stop();
    to.grace = absl::Seconds(task.grace_seconds());
    to.binary = task.binary();
    to.assignment = task.assignment();
    to.cpu_milli = task.resources().cpu_milli();
    to.memory_bytes = task.resources().memory_bytes();
    to.gpus.assign(task.gpus().begin(), task.gpus().end());
  }
  set.removed.assign(wire.removed().begin(), wire.removed().end());
  return set;
}

Registered FromWire(const v1::AgentRegistered& wire) {
  return {wire.term(), wire.incarnation(), absl::Seconds(wire.lease_seconds()),
          absl::Seconds(wire.heartbeat_seconds()), absl::Seconds(wire.orphan_timeout_seconds())};
}

}  // namespace

v1::AgentMessage ToWire(const AgentSays& message) {
  v1::AgentMessage wire;
  std::visit([&](const auto& said) { Fill(said, &wire); }, message);
  return wire;
}

std::optional<AgentHears> FromWire(const v1::CoordinatorToAgent& wire) {
  switch (wire.message_case()) {
    case v1::CoordinatorToAgent::kRegistered:
      return FromWire(wire.registered());
    case v1::CoordinatorToAgent::kDesired:
      return FromWire(wire.desired());
    case v1::CoordinatorToAgent::kAcks:
      return ExitAcks{{wire.acks().task_uids().begin(), wire.acks().task_uids().end()}};
    case v1::CoordinatorToAgent::kPreflight:
      return PreflightOrder{wire.preflight().job_id(), wire.preflight().epoch(),
                            wire.preflight().assignment()};
    case v1::CoordinatorToAgent::kHeartbeat:
      return HeartbeatAck{wire.heartbeat().sequence(), wire.heartbeat().term()};
    default:
      return std::nullopt;
  }
}

}  // namespace trainyard::agent
