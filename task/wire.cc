#include "task/wire.h"

#include <map>
#include <string>

#include "wire/records.h"

namespace trainyard::task {
namespace {

void Fill(const Hello& hello, v1::TaskMessage* message) {
  v1::TaskHello* to = message->mutable_hello();
  to->set_job_id(hello.job_id);
  to->set_epoch(hello.epoch);
  to->set_task_uid(hello.task_uid);
  to->set_secret(hello.secret);
  to->set_highest_term(hello.highest_term);
  to->set_numerics_id(hello.numerics_id);
  to->set_endpoint(hello.endpoint);
  to->set_ready(hello.ready);
}

void Fill(const ReadyNotice& ready, v1::TaskMessage* message) {
  message->mutable_ready()->set_endpoint(ready.endpoint);
  message->mutable_ready()->set_numerics_id(ready.numerics_id);
}

void Fill(const Progress& progress, v1::TaskMessage* message) {
  *message->mutable_progress() = wire::ToWire(progress);
}

void Fill(const StepMetrics& metrics, v1::TaskMessage* message) {
  message->mutable_metrics()->set_step(metrics.step);
  for (const auto& [name, value] : metrics.values) {
    (*message->mutable_metrics()->mutable_values())[name] = value;
  }
}

void Fill(const EndReason& reason, v1::TaskMessage* message) {
  *message->mutable_end() = wire::ToWire(reason);
}

void Fill(const Heartbeat& heartbeat, v1::TaskMessage* message) {
  message->mutable_heartbeat()->set_sequence(heartbeat.sequence);
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

Assignment FromWire(const v1::TaskAssignment& message) {
  Assignment assignment;
  assignment.job_id = message.job_id();
  assignment.job_name = message.job_name();
  assignment.epoch = message.epoch();
  assignment.attempt = message.attempt();
  assignment.task_uid = message.task_uid();
  assignment.secret = message.secret();
  assignment.term = message.term();
  assignment.role = message.role();
  assignment.index = message.index();
  assignment.role_count = message.role_count();
  assignment.job_spec = message.spec().SerializeAsString();
  for (const auto& [reference, artifact] : message.artifacts()) {
    assignment.artifacts[reference] = wire::ArtifactFromWire<Artifact>(artifact);
  }
  for (const v1::Checkpoint& checkpoint : message.restore()) {
    assignment.restore.push_back(FromWire(checkpoint));
  }
  assignment.run_uri = message.run_uri();
  assignment.threads = message.threads();
  assignment.coordinator = message.coordinator();
  assignment.roots = Roots(std::map<std::string, std::string>(message.root_paths().begin(),
                                                              message.root_paths().end()));
  assignment.advertise = message.advertise();
  assignment.gpus.assign(message.gpus().begin(), message.gpus().end());
  assignment.scratch_dir = message.scratch_dir();
  assignment.node = message.node();
  assignment.task_ports = message.task_ports();
  return assignment;
}

v1::TaskMessage ToWire(const TaskSays& said) {
  v1::TaskMessage message;
  std::visit([&](const auto& what) { Fill(what, &message); }, said);
  return message;
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
