// What coordinator, agents and tasks tell each other about tasks and their results, as plain values
// and as messages. Pure; no decisions.

#ifndef TRAINYARD_WIRE_RECORDS_H_
#define TRAINYARD_WIRE_RECORDS_H_

#include "base/end_class.h"
#include "base/progress.h"
#include "trainyard/v1/artifact.pb.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::wire {

v1::EndReason ToWire(const EndReason& reason);
EndReason FromWire(const v1::EndReason& wire);

v1::Progress ToWire(const Progress& progress);
Progress FromWire(const v1::Progress& wire);

// Of any struct that has an artifact's fields under artifact.proto's names: the coordinator's row
// has more of them than a task's.
template <typename Artifact>
v1::Artifact ArtifactToWire(const Artifact& artifact) {
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

template <typename Artifact>
Artifact ArtifactFromWire(const v1::Artifact& wire) {
  Artifact artifact;
  artifact.name = wire.name();
  artifact.uri = wire.uri();
  artifact.manifest_sha256 = wire.manifest_sha256();
  artifact.job_id = wire.job_id();
  artifact.epoch = wire.epoch();
  artifact.type = wire.type();
  artifact.size_bytes = wire.size_bytes();
  return artifact;
}

}  // namespace trainyard::wire

#endif  // TRAINYARD_WIRE_RECORDS_H_
