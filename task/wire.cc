#include "task/wire.h"

#include <map>
#include <string>

namespace trainyard::task {
namespace {

static_assert(static_cast<int>(EndClass::kDeadline) == v1::END_DEADLINE);
static_assert(static_cast<int>(EndClass::kOutOfMemory) == v1::END_OUT_OF_MEMORY);

void Fill(const Hello& hello, v1::TaskMessage* wire) {
  v1::TaskHello* to = wire->mutable_hello();
  to->set_job_id(hello.job_id);
  to->set_epoch(hello.epoch);
  to->set_task_uid(hello.task_uid);
  to->set_secret(hello.secret);
  to->set_highest_term(hello.highest_term);
  to->set_numerics_id(hello.numerics_id);
  to->set_endpoint(hello.endpoint);
  to->set_ready(hello.ready);
}

void Fill(const ReadyNotice& ready, v1::TaskMessage* wire) {
  wire->mutable_ready()->set_endpoint(ready.endpoint);
  wire->mutable_ready()->set_numerics_id(ready.numerics_id);
}

void Fill(const Progress& progress, v1::TaskMessage* wire) {
  v1::Progress* to = wire->mutable_progress();
  to->set_phase(progress.phase);
  to->set_step(progress.step);
  to->set_total_steps(progress.total_steps);
  to->set_tokens_per_second(progress.tokens_per_second);
  to->set_headline(progress.headline);
  to->set_headline_name(progress.headline_name);
}

void Fill(const StepMetrics& metrics, v1::TaskMessage* wire) {
  wire->mutable_metrics()->set_step(metrics.step);
  for (const auto& [name, value] : metrics.values) {
    (*wire->mutable_metrics()->mutable_values())[name] = value;
  }
}

void Fill(const EndReason& reason, v1::TaskMessage* wire) {
  *wire->mutable_end() = ToWire(reason);
}

void Fill(const Heartbeat& heartbeat, v1::TaskMessage* wire) {
  wire->mutable_heartbeat()->set_sequence(heartbeat.sequence);
}

void Fill(const Welcome& welcome, v1::CoordinatorToTask* wire) {
  wire->mutable_welcome()->set_term(welcome.term);
  wire->mutable_welcome()->set_heartbeat_seconds(absl::ToDoubleSeconds(welcome.heartbeat));
}

void Fill(const PeerSnapshot& snapshot, v1::CoordinatorToTask* wire) {
  wire->mutable_peers()->set_revision(snapshot.revision);
  for (const Peer& peer : snapshot.peers) {
    v1::Peer* to = wire->mutable_peers()->add_peers();
    to->set_task_uid(peer.task_uid);
    to->set_role(peer.role);
    to->set_index(peer.index);
    to->set_endpoint(peer.endpoint);
    to->set_ready(peer.ready);
    to->set_draining(peer.draining);
    to->set_node(peer.node);
    to->set_numerics_id(peer.numerics_id);
  }
}

void Fill(const StopOrder& order, v1::CoordinatorToTask* wire) {
  wire->mutable_stop()->set_checkpoint(order.checkpoint);
  wire->mutable_stop()->set_grace_seconds(absl::ToDoubleSeconds(order.grace));
  wire->mutable_stop()->set_reason(order.reason);
}

void Fill(const HeartbeatAck& ack, v1::CoordinatorToTask* wire) {
  wire->mutable_heartbeat()->set_sequence(ack.sequence);
  wire->mutable_heartbeat()->set_term(ack.term);
}

void Fill(const EndAck&, v1::CoordinatorToTask* wire) { wire->mutable_end(); }

Hello FromWire(const v1::TaskHello& wire) {
  Hello hello;
  hello.job_id = wire.job_id();
  hello.epoch = wire.epoch();
  hello.task_uid = wire.task_uid();
  hello.secret = wire.secret();
  hello.highest_term = wire.highest_term();
  hello.numerics_id = wire.numerics_id();
  hello.endpoint = wire.endpoint();
  hello.ready = wire.ready();
  return hello;
}

Progress FromWire(const v1::Progress& wire) {
  return {wire.phase(),       wire.step(),     wire.total_steps(), wire.tokens_per_second(),
          wire.headline(),    wire.headline_name()};
}

PeerSnapshot FromWire(const v1::Peers& wire) {
  PeerSnapshot snapshot;
  snapshot.revision = wire.revision();
  for (const v1::Peer& peer : wire.peers()) {
    snapshot.peers.push_back({peer.task_uid(), peer.role(), peer.index(), peer.endpoint(),
                              peer.ready(), peer.draining(), peer.node(), peer.numerics_id()});
  }
  return snapshot;
}

}  // namespace

v1::EndReason ToWire(const EndReason& reason) {
  v1::EndReason wire;
  wire.set_class_(static_cast<v1::EndClass>(reason.end_class));
  wire.set_message(reason.message);
  wire.set_step(reason.step);
  wire.set_phase(reason.phase);
  wire.set_task(reason.task);
  wire.set_exit_code(reason.exit_code);
  wire.set_signal(reason.signal);
  wire.set_peak_rss_bytes(reason.peak_rss_bytes);
  return wire;
}

EndReason FromWire(const v1::EndReason& wire) {
  EndReason reason;
  reason.end_class = static_cast<EndClass>(wire.class_());
  reason.message = wire.message();
  reason.step = wire.step();
  reason.phase = wire.phase();
  reason.task = wire.task();
  reason.exit_code = wire.exit_code();
  reason.signal = wire.signal();
  reason.peak_rss_bytes = wire.peak_rss_bytes();
  return reason;
}

v1::Artifact ToWire(const Artifact& artifact) {
  v1::Artifact wire;
  wire.set_name(artifact.name);
  wire.set_uri(artifact.uri);
  wire.set_manifest_sha256(artifact.manifest_sha256);
  wire.set_job_id(artifact.job_id);
  wire.set_epoch(artifact.epoch);
  wire.set_type(artifact.type);
  wire.set_size_bytes(artifact.size_bytes);
  return wire;
}

Artifact FromWire(const v1::Artifact& wire) {
  return {wire.name(),  wire.uri(),  wire.manifest_sha256(), wire.job_id(),
          wire.epoch(), wire.type(), wire.size_bytes()};
}

Checkpoint FromWire(const v1::Checkpoint& wire) {
  Checkpoint checkpoint;
  checkpoint.job_id = wire.job_id();
  checkpoint.epoch = wire.epoch();
  checkpoint.step = wire.step();
  checkpoint.uri = wire.uri();
  checkpoint.manifest_sha256 = wire.manifest_sha256();
  checkpoint.committed_at_us = wire.committed_at_us();
  if (wire.has_metric()) checkpoint.metric = wire.metric();
  return checkpoint;
}

Assignment FromWire(const v1::TaskAssignment& wire) {
  Assignment assignment;
  assignment.job_id = wire.job_id();
  assignment.job_name = wire.job_name();
  assignment.epoch = wire.epoch();
  assignment.attempt = wire.attempt();
  assignment.task_uid = wire.task_uid();
  assignment.secret = wire.secret();
  assignment.term = wire.term();
  assignment.role = wire.role();
  assignment.index = wire.index();
  assignment.role_count = wire.role_count();
  assignment.job_spec = wire.spec().SerializeAsString();
  for (const auto& [reference, artifact] : wire.artifacts()) {
    assignment.artifacts[reference] = FromWire(artifact);
  }
  for (const v1::Checkpoint& checkpoint : wire.restore()) {
    assignment.restore.push_back(FromWire(checkpoint));
  }
  assignment.run_uri = wire.run_uri();
  assignment.threads = wire.threads();
  assignment.coordinator = wire.coordinator();
  assignment.roots =
      Roots(std::map<std::string, std::string>(wire.root_paths().begin(), wire.root_paths().end()));
  assignment.advertise = wire.advertise();
  assignment.gpus.assign(wire.gpus().begin(), wire.gpus().end());
  assignment.scratch_dir = wire.scratch_dir();
  assignment.node = wire.node();
  assignment.task_ports = wire.task_ports();
  return assignment;
}

v1::TaskMessage ToWire(const TaskSays& message) {
  v1::TaskMessage wire;
  std::visit([&](const auto& said) { Fill(said, &wire); }, message);
  return wire;
}

TaskSays FromWire(const v1::TaskMessage& wire) {
  switch (wire.message_case()) {
    case v1::TaskMessage::kHello:
      return FromWire(wire.hello());
    case v1::TaskMessage::kReady:
      return ReadyNotice{wire.ready().endpoint(), wire.ready().numerics_id()};
    case v1::TaskMessage::kProgress:
      return FromWire(wire.progress());
    case v1::TaskMessage::kMetrics:
      return StepMetrics{wire.metrics().step(),
                         {wire.metrics().values().begin(), wire.metrics().values().end()}};
    case v1::TaskMessage::kEnd:
      return FromWire(wire.end());
    default:
      return Heartbeat{wire.heartbeat().sequence()};
  }
}

v1::CoordinatorToTask ToWire(const TaskHears& message) {
  v1::CoordinatorToTask wire;
  std::visit([&](const auto& heard) { Fill(heard, &wire); }, message);
  return wire;
}

std::optional<TaskHears> FromWire(const v1::CoordinatorToTask& wire) {
  switch (wire.message_case()) {
    case v1::CoordinatorToTask::kWelcome:
      return Welcome{wire.welcome().term(), absl::Seconds(wire.welcome().heartbeat_seconds())};
    case v1::CoordinatorToTask::kPeers:
      return FromWire(wire.peers());
    case v1::CoordinatorToTask::kStop:
      return StopOrder{wire.stop().checkpoint(), absl::Seconds(wire.stop().grace_seconds()),
                       wire.stop().reason()};
    case v1::CoordinatorToTask::kHeartbeat:
      return HeartbeatAck{wire.heartbeat().sequence(), wire.heartbeat().term()};
    case v1::CoordinatorToTask::kEnd:
      return EndAck{};
    default:
      return std::nullopt;
  }
}

}  // namespace trainyard::task
