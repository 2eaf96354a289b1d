// A small world to train in: a tokenizer, data files, a job of each kind, and ranks as threads.

#ifndef TRAINYARD_TESTS_WORKER_TRAINING_WORLD_H_
#define TRAINYARD_TESTS_WORKER_TRAINING_WORLD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collective/group.h"
#include "tests/support/process.h"
#include "tests/worker/recording_session.h"
#include "worker/train_job.h"
#include "worker/train_run.h"

namespace trainyard::worker {

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
