#include "coordinator/wire.h"

#include "absl/strings/str_cat.h"

namespace trainyard::coordinator {

int64_t ToMicros(absl::Time time) {
  return time == absl::InfinitePast() || time == absl::InfiniteFuture() ? 0
                                                                        : absl::ToUnixMicros(time);
}

v1::Artifact ToWire(const ArtifactRow& artifact) { return wire::ArtifactToWire(artifact); }

v1::Checkpoint ToWire(const CheckpointRow& checkpoint) {
  v1::Checkpoint message;
  message.set_job_id(checkpoint.job_id);
  message.set_epoch(checkpoint.epoch);
  message.set_step(checkpoint.step);
  message.set_uri(checkpoint.uri);
  message.set_manifest_sha256(checkpoint.manifest_sha256);
  message.set_committed_at_us(ToMicros(checkpoint.committed_at));
  if (checkpoint.metric.has_value()) message.set_metric(*checkpoint.metric);
  return message;
}

v1::Task ToWire(const TaskRecord& task) {
  v1::Task message;
  message.set_task_uid(task.task_uid);
  message.set_role(task.role);
  message.set_index(task.index);
  message.set_node(task.node);
  message.set_state(static_cast<v1::TaskState>(task.state));
  message.set_endpoint(task.endpoint);
  // What the task itself said is nearer to the cause than how its process ended.
  if (task.own_end.has_value()) {
    *message.mutable_end() = ToWire(*task.own_end);
  } else if (task.end.end_class != EndClass::kUnspecified) {
    *message.mutable_end() = ToWire(task.end);
  }
  message.set_numerics_id(task.numerics_id);
  message.set_started_at_us(ToMicros(task.started_at));
  message.set_ended_at_us(ToMicros(task.ended_at));
  return message;
}

v1::Attempt ToWire(const AttemptRecord& attempt) {
  v1::Attempt message;
  message.set_number(attempt.number);
  message.set_epoch(attempt.epoch);
  message.set_state(static_cast<v1::AttemptState>(attempt.state));
  if (attempt.end.end_class != EndClass::kUnspecified) *message.mutable_end() = ToWire(attempt.end);
  message.set_started_at_us(ToMicros(attempt.started_at));
  message.set_ended_at_us(ToMicros(attempt.ended_at));
  message.set_restored_step(attempt.restored_step);
  return message;
}

v1::Job ToWire(const JobRecord& job) {
  v1::Job message;
  message.set_id(job.id);
  if (job.spec != nullptr) message.mutable_spec()->ParseFromString(*job.spec);
  message.set_state(static_cast<v1::JobState>(job.state));
  message.set_desired(static_cast<v1::DesiredState>(job.desired));
  message.set_epoch(job.epoch);
  message.set_attempt(job.attempt);
  if (job.end.end_class != EndClass::kUnspecified) *message.mutable_end() = ToWire(job.end);
  for (const ArtifactRow& output : job.outputs) *message.add_outputs() = ToWire(output);
  message.mutable_wanted()->insert(job.wanted.begin(), job.wanted.end());
  message.set_pipeline_id(job.pipeline_id);
  message.set_stage(job.stage);
  message.set_principal(job.principal);
  message.set_revision(job.revision);
  message.set_created_at_us(ToMicros(job.created_at));
  message.set_started_at_us(ToMicros(job.started_at));
  message.set_ended_at_us(ToMicros(job.ended_at));
  message.set_reason(job.reason);
  message.set_attempts_without_commit(job.attempts_without_commit);
  return message;
}

v1::Job ToWire(const JobView& view) {
  v1::Job message = ToWire(view.job);
  if (view.attempt.has_value()) {
    *message.mutable_current() = ToWire(*view.attempt);
    for (const auto& [uid, task] : view.tasks) {
      v1::Task* added = message.mutable_current()->add_tasks();
      *added = ToWire(task);
      const auto progress = view.progress.find(uid);
      if (progress != view.progress.end()) *added->mutable_progress() = ToWire(progress->second);
    }
  }
  const auto speaker = view.progress.find(view.speaker);
  if (speaker != view.progress.end()) *message.mutable_progress() = ToWire(speaker->second);
  return message;
}

v1::Pipeline ToWire(const PipelineRecord& pipeline) {
  v1::Pipeline message;
  message.set_id(pipeline.id);
  message.set_name(pipeline.name);
  message.mutable_job_ids()->Assign(pipeline.job_ids.begin(), pipeline.job_ids.end());
  message.set_revision(pipeline.revision);
  message.set_created_at_us(ToMicros(pipeline.created_at));
  return message;
}

v1::Node ToWire(const NodeView& node, absl::Time now) {
  v1::Node message;
  const NodeOffer& offer = node.record.offer;
  message.set_name(node.record.name);
  message.set_incarnation(node.record.incarnation);
  message.set_host(offer.host);
  for (const Gpu& gpu : offer.gpus) {
    v1::Gpu* added = message.add_gpus();
    added->set_uuid(gpu.uuid);
    added->set_kind(gpu.kind);
    added->set_memory_bytes(gpu.memory_bytes);
  }
  message.set_cpu_milli(offer.cpu_milli);
  message.set_memory_bytes(offer.memory_bytes);
  message.set_cpu_milli_used(node.cpu_milli_used);
  message.set_memory_bytes_used(node.memory_bytes_used);
  message.mutable_labels()->insert(offer.labels.begin(), offer.labels.end());
  for (const auto& [root, cluster_id] : offer.roots) message.add_roots(root);
  message.set_alive(node.record.state == NodeState::kAlive);
  message.set_cordoned(node.record.cordoned);
  if (node.last_heard != absl::InfinitePast()) {
    message.set_seconds_since_heartbeat(absl::ToDoubleSeconds(now - node.last_heard));
  }
  for (const TaskRecord& task : node.tasks) *message.add_tasks() = ToWire(task);
  message.set_version(offer.version);
  return message;
}

v1::Event ToWire(const EventRow& event) {
  v1::Event message;
  message.set_revision(event.revision);
  message.set_time_us(ToMicros(event.time));
  message.set_principal(event.principal);
  message.set_job_id(event.job_id);
  message.set_node(event.node);
  message.set_type(event.type);
  message.set_message(event.message);
  return message;
}

ArtifactRow FromWire(const v1::Artifact& artifact) {
  auto row = wire::ArtifactFromWire<ArtifactRow>(artifact);
  // Whose it is, is the session's to say.
  row.job_id.clear();
  row.epoch = 0;
  return row;
}

}  // namespace trainyard::coordinator
