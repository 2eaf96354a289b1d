// A small world to train in: a tokenizer, data files, a job of each kind, and ranks as threads.

#ifndef TRAINYARD_TESTS_WORKER_TRAINING_WORLD_H_
#define TRAINYARD_TESTS_WORKER_TRAINING_WORLD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "collective/group.h"
#include "task/session.h"
#include "tests/support/process.h"
#include "worker/train_job.h"
#include "worker/train_run.h"

namespace trainyard::worker {

// A session that writes down what it is told, and orders a stop after a given step.
class RecordingSession : public task::TaskSession {
 public:
  explicit RecordingSession(int64_t stop_after_step = -1) : stop_after_step_(stop_after_step) {}

  void Ready(const std::string&, const std::string&) override {}
  void Report(const task::Progress& progress) override;
  void ReportMetrics(int64_t step, const std::map<std::string, double>& values) override;
  task::PeerSnapshot Peers() const override { return {}; }
  absl::StatusOr<task::PeerSnapshot> WaitForPeers(
      const std::function<bool(const task::PeerSnapshot&)>&, absl::Duration) override {
    return absl::DeadlineExceededError("no peers");
  }
  void OnPeersChanged(std::function<void(const task::PeerSnapshot&)>) override {}
  std::optional<task::StopOrder> StopRequested() const override;
  std::optional<task::StopOrder> WaitForStop(absl::Duration) override { return StopRequested(); }
  void RequestStop(const task::StopOrder& order) override;
  absl::StatusOr<task::CommitResult> CommitCheckpoint(const task::CommitRequest& request,
                                                      absl::Duration) override;
  absl::Status FinishJob(const std::vector<task::Artifact>& outputs, absl::Duration) override;
  absl::Status End(const EndReason&, absl::Duration) override { return absl::OkStatus(); }
  [[noreturn]] void Abort(const EndReason& reason) override;

  std::map<int64_t, std::map<std::string, double>> metrics() const;
  std::vector<task::Artifact> outputs() const;

 private:
  const int64_t stop_after_step_;
  mutable absl::Mutex mutex_;
  std::optional<task::StopOrder> stop_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::map<std::string, double>> metrics_ ABSL_GUARDED_BY(mutex_);
  std::vector<task::Artifact> outputs_ ABSL_GUARDED_BY(mutex_);
};

// What a run of all ranks came to.
struct RunEnd {
  std::vector<absl::StatusOr<TrainOutcome>> outcomes;  // by rank
  std::vector<EndReason> reasons;                      // of those that failed
  std::map<int64_t, std::map<std::string, double>> metrics;  // rank 0's, by step
  std::string weights;                                 // WeightBytes; "" when there is no artifact
  std::string directory;                               // of the artifact

  bool finished() const;
  double loss(int64_t step) const { return metrics.at(step).at("loss"); }
};

struct RunOptions {
  int world_size = 1;
  uint64_t epoch = 1;
  int64_t stop_after_step = -1;
  std::string name = "run";
};

// Owns a directory with everything.
class TrainingWorld {
 public:
  TrainingWorld();

  // Small jobs of 12 steps that any machine does in a second; `init_from` of SFT and reward models
  // is a fresh model.
  TrainJob Job(TrainKind kind, checkpoint::DType dtype);

  // Runs `job` to its end on ranks that are threads.
  RunEnd Run(const TrainJob& job, const RunOptions& options);
  // One rank of it on the calling thread.
  absl::StatusOr<TrainOutcome> RunRank(const TrainJob& job, const RunOptions& options,
                                       collective::Group* group, task::TaskSession* session,
                                       EndReason* reason = nullptr);

  std::string RunDirectory(const std::string& name) const { return dir_.File("runs/" + name); }
  std::string Write(const std::string& name, const std::string& text) const;
  const std::string& path() const { return dir_.path(); }

 private:
  void MakeTokenizer();
  std::string MakeStartModel();

  testing::TempDir dir_;
  std::string start_model_;
};

// The tensors of a model artifact, by name, as float64.
std::map<std::string, std::vector<double>> ReadWeights(const std::string& directory);

// Names and bytes of all its tensors (its metadata names the manifest it was taken from).
std::string WeightBytes(const std::string& directory);

// Largest relative L2 distance of two models' tensors.
double Distance(const RunEnd& a, const RunEnd& b);

}  // namespace trainyard::worker

#endif  // TRAINYARD_TESTS_WORKER_TRAINING_WORLD_H_
