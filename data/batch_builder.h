// From a data set to the batches of each optimizer step: a pure function of (data, options, cursor,
// rank, world size).

#ifndef TRAINYARD_DATA_BATCH_BUILDER_H_
#define TRAINYARD_DATA_BATCH_BUILDER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/cursor.h"
#include "data/dataset.h"
#include "data/train_batch.h"

namespace trainyard::data {

struct BatchOptions {
  uint64_t seed = 0;           // of the order
  int64_t packs_per_step = 1;  // of all ranks: windows, packs (or sequences, unpacked), groups
  // Pretraining: attention ends at document borders, positions start anew there.
  bool isolate_documents = false;
  // SFT: samples are packed (best fit) up to max_tokens of the data set; else a pack is a sample.
  bool pack_samples = false;
  // A rank's packs of a step are cut into micro-batches of at most so many tokens (a larger pack
  // stands alone) and, when > 0, at most so many packs.
  int64_t micro_batch_tokens = 16384;
  int64_t micro_batch_packs = 0;

  // Reward models only.
  int32_t group_size = 4;     // K = 2..9: of groups drawn from rated samples
  double min_rating_gap = 0;  // pairs closer than this are dropped; ties always
  double token_dropout = 0;   // probability that a text token becomes `dropout_id`
  int32_t dropout_id = 0;
};

struct RankOptions {
  int32_t rank = 0;
  int32_t world_size = 1;
};

// Owned by one thread; the data set must outlive it. Restoring is O(1) in what was consumed.
class BatchBuilder {
 public:
  // InvalidArgument names the option and its limits.
  static absl::StatusOr<std::unique_ptr<BatchBuilder>> Create(const Dataset& dataset,
                                                              const BatchOptions& options,
                                                              const RankOptions& rank);
  ~BatchBuilder();

  // The start of the data.
  DataCursor Start() const;

  // FailedPrecondition when the cursor belongs to other data or another order: says which.
  absl::Status CheckCursor(const DataCursor& cursor) const;

  // The batch of the optimizer step that starts at `cursor`; goes on into the next pass when one
  // ends. Errors of CheckCursor; OutOfRange for a cursor outside of its pass.
  absl::StatusOr<TrainBatch> Build(const DataCursor& cursor);

  // How many whole steps `passes` passes from the start give.
  absl::StatusOr<int64_t> StepsIn(double passes);

  // This rank's micro-batches of one pass in the order of the data, without shuffle, dropout or
  // what is left of a source by its share: for validation. Pretraining keeps the last short window.
  absl::StatusOr<std::vector<MicroBatch>> ValidationMicroBatches();

  // Of the data, the options that decide the order, and the seed: the cursor's.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  BatchBuilder(const Dataset& dataset, const BatchOptions& options, const RankOptions& rank);
  // Makes `open_` the given window.
  absl::Status OpenWindow(int64_t pass, int64_t window);

  const Dataset& dataset_;
  const BatchOptions options_;
  const RankOptions rank_;
  std::string fingerprint_;
  uint64_t key_ = 0;  // of the order
  struct OpenPass;
  std::unique_ptr<OpenPass> open_;
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_BATCH_BUILDER_H_
