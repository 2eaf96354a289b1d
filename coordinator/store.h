// The durable memory of the coordinator: jobs, attempts, tasks, nodes, checkpoints, artifacts,
// pipelines and events, written in batches under a term. Metrics and logs are elsewhere.
//
// One conformance suite (tests/coordinator/store_conformance.h) runs on every implementation.

#ifndef TRAINYARD_COORDINATOR_STORE_H_
#define TRAINYARD_COORDINATOR_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/core/records.h"

namespace trainyard::coordinator {

// Which jobs; all that are set must hold.
struct JobFilter {
  std::optional<JobState> state;
  std::string kind;
  std::string name;
  std::string pipeline_id;
  std::map<std::string, std::string> labels;
};

// A page of a list. `after` is the last key of the page before; empty = the first page.
struct PageRequest {
  int size = 50;
  std::string after;
};

struct JobPage {
  std::vector<JobRecord> jobs;  // newest submission first
  std::string next;             // empty = no more
  int64_t revision = 0;         // durable when it was read
};

struct EventPage {
  std::vector<EventRow> events;  // by (revision, index); never ends inside a revision
  int64_t next_revision = 0;     // ask for events after this
  bool more = false;
};

// Told on the store's own thread, in order: everything up to this revision is durable; or the store
// failed and nothing after the last revision told will ever be. Must not block.
using DurableListener = std::function<void(absl::StatusOr<int64_t> revision)>;

// Thread-safe. Writes are durable in the order of their revisions; reads see what is durable.
class Store {
 public:
  virtual ~Store() = default;

  // Of this process: one more than any before it.
  virtual uint64_t term() const = 0;

  // What the core starts from. Once, before the first Write.
  virtual absl::StatusOr<Snapshot> Load() = 0;

  // Queues a batch and returns. The listener hears when it is durable. A batch whose term is not
  // the store's, or whose revision is not the next one, fails the store: FailedPrecondition.
  virtual void Write(std::shared_ptr<const Batch> batch) = 0;

  // Empty, or why no new work should be taken (no space). What is in hand can still be recorded.
  virtual std::string read_only_reason() const = 0;

  virtual int64_t durable_revision() const = 0;

  // NotFound names the key.
  virtual absl::StatusOr<JobRecord> GetJob(const std::string& id) const = 0;
  // By id, else the newest submission of that name.
  virtual absl::StatusOr<JobRecord> FindJob(const std::string& id_or_name) const = 0;
  virtual absl::StatusOr<PipelineRecord> FindPipeline(const std::string& id_or_name) const = 0;
  virtual absl::StatusOr<TaskRecord> GetTask(uint64_t task_uid) const = 0;

  // InvalidArgument when `page.after` is not a key that this store made.
  virtual absl::StatusOr<JobPage> ListJobs(const JobFilter& filter,
                                           const PageRequest& page) const = 0;
  // All of one job; by number, by (role, index, task_uid), newest first, by name.
  virtual absl::StatusOr<std::vector<AttemptRecord>> ListAttempts(const std::string& job) const = 0;
  virtual absl::StatusOr<std::vector<TaskRecord>> ListTasks(const std::string& job,
                                                            int attempt) const = 0;
  virtual absl::StatusOr<std::vector<CheckpointRow>> ListCheckpoints(
      const std::string& job) const = 0;
  virtual absl::StatusOr<std::vector<ArtifactRow>> ListArtifacts(const std::string& job) const = 0;
  // Of all jobs, newest first.
  virtual absl::StatusOr<std::vector<ArtifactRow>> ListAllArtifacts(int limit) const = 0;
  virtual absl::StatusOr<std::map<std::string, int64_t>> CountJobsByState() const = 0;

  // Events after `revision`, of one job or (empty) of all.
  virtual absl::StatusOr<EventPage> EventsSince(int64_t revision, const std::string& job,
                                                int limit) const = 0;
  // Jobs whose last change came after `revision`, by revision; about `limit` of them, never ending
  // inside a revision.
  virtual absl::StatusOr<std::vector<JobRecord>> JobsChangedSince(int64_t revision,
                                                                  int limit) const = 0;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STORE_H_
