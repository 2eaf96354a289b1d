// The store without a disk: what was written is durable only after a sync that the test grants.

#ifndef TRAINYARD_TESTS_SUPPORT_SIM_STORE_H_
#define TRAINYARD_TESTS_SUPPORT_SIM_STORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/store.h"

namespace trainyard::coordinator {

// What survives a crash. Outlives the stores that write to it.
struct SimDisk {
  uint64_t term = 0;
  int64_t revision = 0;
  uint64_t next_task_uid = 1;
  std::map<std::string, JobRecord> jobs;
  std::map<std::pair<std::string, int>, AttemptRecord> attempts;
  std::map<uint64_t, TaskRecord> tasks;
  std::map<std::string, NodeRecord> nodes;
  std::map<std::pair<std::string, std::string>, CheckpointRow> checkpoints;
  std::map<std::pair<std::string, std::string>, ArtifactRow> artifacts;
  std::map<std::string, PipelineRecord> pipelines;
  std::vector<EventRow> events;
};

// One incarnation of the store. Not thread-safe.
class SimStore : public Store {
 public:
  // Begins a new term at once. `disk` must outlive it.
  SimStore(SimDisk* disk, DurableListener on_durable);

  // ---- What the disk does ----

  size_t pending() const { return queue_.size(); }
  // Makes the oldest `count` batches durable and tells the listener.
  void Sync(size_t count);
  // The process dies: the oldest `survive` batches reached the disk, the rest did not. Nobody is
  // told. The store is of no more use.
  void Crash(size_t survive);
  // The disk fails: nothing that is pending becomes durable, and the listener is told.
  void Fail(const absl::Status& status);
  void SetReadOnly(const std::string& reason) { read_only_reason_ = reason; }

  // ---- Store ----

  uint64_t term() const override { return term_; }
  absl::StatusOr<Snapshot> Load() override;
  void Write(std::shared_ptr<const Batch> batch) override;
  std::string read_only_reason() const override { return read_only_reason_; }
  int64_t durable_revision() const override { return disk_.revision; }
  absl::StatusOr<JobRecord> GetJob(const std::string& id) const override;
  absl::StatusOr<JobRecord> FindJob(const std::string& id_or_name) const override;
  absl::StatusOr<PipelineRecord> FindPipeline(const std::string& id_or_name) const override;
  absl::StatusOr<TaskRecord> GetTask(uint64_t task_uid) const override;
  absl::StatusOr<JobPage> ListJobs(const JobFilter& filter, const PageRequest& page) const override;
  absl::StatusOr<std::vector<AttemptRecord>> ListAttempts(const std::string& job) const override;
  absl::StatusOr<std::vector<TaskRecord>> ListTasks(const std::string& job,
                                                    int attempt) const override;
  absl::StatusOr<std::vector<CheckpointRow>> ListCheckpoints(const std::string& job) const override;
  absl::StatusOr<std::vector<ArtifactRow>> ListArtifacts(const std::string& job) const override;
  absl::StatusOr<std::vector<ArtifactRow>> ListAllArtifacts(int limit) const override;
  absl::StatusOr<std::map<std::string, int64_t>> CountJobsByState() const override;
  absl::StatusOr<EventPage> EventsSince(int64_t revision, const std::string& job,
                                        int limit) const override;
  absl::StatusOr<std::vector<JobRecord>> JobsChangedSince(int64_t revision,
                                                          int limit) const override;

 private:
  absl::Status Apply(const Batch& batch);

  SimDisk& disk_;
  const DurableListener on_durable_;
  const uint64_t term_;
  std::deque<std::shared_ptr<const Batch>> queue_;
  std::string read_only_reason_;
  bool failed_ = false;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_SUPPORT_SIM_STORE_H_
