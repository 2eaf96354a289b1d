// Checkpoints of a data-parallel run: every rank writes its share in the background, rank 0 writes
// the manifest over all shares and commits it, while training goes on.
//
// The ranks stay in step by two numbers that they add to the sums of every training step: when all
// shares are written the records are gathered, when the commit is acknowledged the next checkpoint
// may begin. Without a coordinator the manifest is the commit, and old checkpoints are given up
// here.

#ifndef TRAINYARD_WORKER_CHECKPOINTER_H_
#define TRAINYARD_WORKER_CHECKPOINTER_H_

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "base/roots.h"
#include "checkpoint/manifest.h"
#include "collective/group.h"
#include "task/session.h"
#include "worker/background.h"
#include "worker/named_tensor.h"
#include "worker/shard_writer.h"

namespace trainyard::worker {

struct CheckpointerOptions {
  std::string kind = "training";
  std::string run_uri;        // root://...; checkpoints lie beneath it
  std::string run_directory;  // the same, as a path here
  Roots roots;                // to find what a commit gives up
  uint64_t epoch = 0;
  std::string numerics_id;
  int keep = 2;                        // committed checkpoints besides the best
  bool metric_higher_is_better = false;
  bool stand_alone = false;            // no coordinator
  absl::Duration timeout = absl::Minutes(10);  // of writing, and of one commit
};

struct CheckpointContent {
  int64_t step = 0;
  Json sections;                 // of the manifest; rank 0's are written
  std::optional<double> metric;  // validation at this very step
};

// Owned: by the training thread of each rank.
class Checkpointer {
 public:
  // `state`: all tensors of the run, the same on all ranks. Group and session outlive it.
  Checkpointer(const CheckpointerOptions& options, const NamedTensors& state,
               collective::Group* group, task::TaskSession* session);

  // A checkpoint is on its way. The same on all ranks.
  bool busy() const { return phase_ != Phase::kIdle; }

  // Takes the copy and starts to write. All ranks, after the same step, when not busy.
  absl::Status Begin(const CheckpointContent& content);

  using Signals = std::array<double, 2>;
  // What this rank adds to the sums of the next step. The error with which writing or committing
  // failed: ResourceExhausted, Aborted (the epoch is over), ...
  absl::StatusOr<Signals> Look();
  // What all ranks added. May gather, so all ranks call it after each step.
  absl::Status Advance(const Signals& sums);

  // Waits until what is on its way is committed. All ranks.
  absl::Status Finish();

  // Step of the last committed checkpoint of this process; -1: none. Rank 0 knows it first.
  int64_t committed_step() const { return committed_step_; }
  // Digest of its manifest; on rank 0 only.
  const std::string& committed_manifest() const { return committed_manifest_; }

 private:
  enum class Phase { kIdle, kWriting, kCommitting };

  absl::Status FetchRecord(absl::Duration timeout);
  absl::Status FetchCommit(absl::Duration timeout);
  absl::Status Gather();
  void StartCommit(std::vector<checkpoint::FileRecord> records);
  absl::StatusOr<std::string> Commit(checkpoint::Manifest manifest,
                                     const CheckpointContent& content);
  absl::Status Prune(const std::vector<std::string>& uris);

  const CheckpointerOptions options_;
  collective::Group* const group_;
  task::TaskSession* const session_;
  Phase phase_ = Phase::kIdle;
  CheckpointContent content_;
  std::optional<checkpoint::FileRecord> record_;  // of this rank's share, once it is written
  int64_t committed_step_ = -1;
  std::string committed_manifest_;
  ShardWriter writer_;
  Background<std::string> committer_;  // rank 0's; gives the manifest's digest
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_CHECKPOINTER_H_
