// What a task is told at its start. Free of protobuf, gRPC and torch.

#ifndef TRAINYARD_TASK_ASSIGNMENT_H_
#define TRAINYARD_TASK_ASSIGNMENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/roots.h"
#include "rpc/fence.h"

namespace trainyard::task {

// A directory with a manifest. Mirrors artifact.proto.
struct Artifact {
  std::string name;
  std::string uri;  // root://...
  std::string manifest_sha256;
  std::string job_id;
  uint64_t epoch = 0;
  std::string type;
  int64_t size_bytes = 0;
};

// A committed checkpoint. Mirrors artifact.proto.
struct Checkpoint {
  std::string job_id;
  uint64_t epoch = 0;
  int64_t step = 0;
  std::string uri;  // root://...
  std::string manifest_sha256;
  int64_t committed_at_us = 0;
  std::optional<double> metric;
};

// Mirrors task.proto's TaskAssignment. A value.
struct Assignment {
  std::string job_id;
  std::string job_name;
  uint64_t epoch = 0;
  int attempt = 0;
  uint64_t task_uid = 0;
  std::string secret;
  uint64_t term = 0;
  std::string role;
  int index = 0;
  int role_count = 1;
  // Serialised trainyard.v1.JobSpec: parsed by the task's own *_spec.cc.
  std::string job_spec;
  // Reference text of the spec -> artifact.
  std::map<std::string, Artifact> artifacts;
  // Newest first.
  std::vector<Checkpoint> restore;
  std::string run_uri;
  int threads = 1;
  // host:port; empty = stand-alone.
  std::string coordinator;
  Roots roots;
  // Host that peers reach this task under.
  std::string advertise = "127.0.0.1";
  std::vector<std::string> gpus;
  // Private to this task, removed after it ended.
  std::string scratch_dir;
  std::string node;

  // Ports it may serve on, "FIRST-LAST"; empty = any.
  std::string task_ports;

  // "rollout/0".
  std::string TaskName() const;
  // Where this task listens (rpc::ServerOptions::listen): only on loopback when it is advertised
  // there, else on every address.
  std::string ListenAddress() const;
  // What this task presents in its calls and checks in those it serves.
  rpc::JobFence Fence() const { return {job_id, epoch, secret}; }
};

// Parses a serialised trainyard.v1.TaskAssignment. InvalidArgument names what is missing.
absl::StatusOr<Assignment> ParseAssignment(absl::string_view bytes);

// Reads the file the agent wrote (--assignment FILE).
absl::StatusOr<Assignment> LoadAssignment(const std::string& path);

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_ASSIGNMENT_H_
