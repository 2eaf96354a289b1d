#include "data/batch_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"

namespace trainyard::data {
namespace {

// How long the thread waits for room before it looks again; closing the queue wakes it at once.
constexpr absl::Duration kPushTimeout = absl::Hours(1);

}  // namespace

BatchStream::BatchStream(std::unique_ptr<BatchBuilder> builder, DataCursor start, int64_t steps,
                         size_t queue_batches)
    : builder_(std::move(builder)), queue_(queue_batches) {
  thread_ = std::thread([this, start = std::move(start), steps] { Fill(start, steps); });
}

BatchStream::~BatchStream() {
  queue_.Close();
  thread_.join();
}

void BatchStream::Fill(DataCursor cursor, int64_t steps) {
  for (int64_t i = 0; i <= steps && !queue_.closed(); ++i) {
    absl::StatusOr<TrainBatch> batch =
        i < steps ? builder_->Build(cursor)
                  : absl::OutOfRangeError(absl::StrCat("all ", steps, " batches were read"));
    const bool last = !batch.ok();
    if (!last) cursor = batch->cursor_after;
    while (!queue_.Push(std::move(batch), kPushTimeout) && !queue_.closed()) {
    }
    if (last) return;
  }
}

absl::StatusOr<TrainBatch> BatchStream::Next(absl::Duration timeout) {
  if (!end_.ok()) return end_;
  std::optional<absl::StatusOr<TrainBatch>> batch = queue_.Pop(timeout);
  if (!batch.has_value()) {
    return absl::DeadlineExceededError(
        absl::StrCat("no batch within ", absl::FormatDuration(timeout)));
  }
  if (!batch->ok()) end_ = batch->status();
  return *std::move(batch);
}

}  // namespace trainyard::data
