// A thread that builds batches ahead of the trainer.

#ifndef TRAINYARD_DATA_BATCH_STREAM_H_
#define TRAINYARD_DATA_BATCH_STREAM_H_

#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "base/bounded_queue.h"
#include "data/batch_builder.h"

namespace trainyard::data {

// Fills a bounded queue from `start` on, `steps` batches long, then ends with OutOfRange; an error
// of the builder ends it too. Next is for one thread. What is read ahead never moves a cursor: each
// batch carries its own.
class BatchStream {
 public:
  BatchStream(std::unique_ptr<BatchBuilder> builder, DataCursor start, int64_t steps,
              size_t queue_batches = 4);
  ~BatchStream();  // stops the thread
  BatchStream(const BatchStream&) = delete;
  BatchStream& operator=(const BatchStream&) = delete;

  // The next batch. DeadlineExceeded after `timeout`; OutOfRange at the end; the builder's error.
  absl::StatusOr<TrainBatch> Next(absl::Duration timeout);

 private:
  void Fill(DataCursor cursor, int64_t steps);

  std::unique_ptr<BatchBuilder> builder_;
  BoundedQueue<absl::StatusOr<TrainBatch>> queue_;
  absl::Status end_;  // what Next says after the last batch
  std::thread thread_;
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_BATCH_STREAM_H_
