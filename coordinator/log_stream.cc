#include "coordinator/log_stream.h"

#include <grpcpp/alarm.h>

#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "base/status.h"
#include "coordinator/stream_queue.h"
#include "rpc/status.h"

namespace trainyard::coordinator {
namespace {

constexpr int64_t kChunkBytes = 64 << 10;
constexpr size_t kBuffer = 64;
constexpr absl::Duration kFollowInterval = absl::Milliseconds(250);
// The agent ships the last lines of a task shortly after its exit was told.
constexpr absl::Duration kLastLines = absl::Seconds(2);

// What the reactor and a read that is under way share: the read may outlive the call.
class LogState : public std::enable_shared_from_this<LogState> {
 public:
  LogState(const ServiceParts& parts, const v1::GetLogsRequest& request,
           StreamQueue<v1::LogChunk>::Stream stream, grpc::CallbackServerContext* context)
      : parts_(parts), request_(request), context_(context), queue_(kBuffer, std::move(stream)) {}

  StreamQueue<v1::LogChunk>& queue() { return queue_; }

  // Reads the next chunks on the pool; called at the start, when the reader has taken what was sent
  // and when the pause of a follower is over.
  void ReadOn(bool after_pause = false) {
    const bool queued = parts_.reads.Post([self = shared_from_this(), after_pause] {
      absl::MutexLock lock(&self->mutex_);
      if (after_pause) self->pausing_ = false;
      if (self->detached_) return;
      const absl::Status status = self->Read();
      if (!status.ok()) self->End(status);
    });
    if (!queued) End(Overloaded());
  }

  void Detach() {
    absl::MutexLock lock(&mutex_);
    detached_ = true;
    pause_.Cancel();
  }

 private:
  void End(const absl::Status& status) {
    queue_.Close(status.ok() ? grpc::Status::OK : rpc::ToGrpc(status, context_), false);
  }

  absl::Status Read() {
    TY_ASSIGN_OR_RETURN(const v1::Job job, ReadJob(parts_, request_.job()));
    if (job_id_.empty()) job_id_ = job.id();
    // Read before the files: what was printed before the end is then found.
    const bool over = IsTerminal(static_cast<JobState>(job.state())) &&
                      parts_.clock.Now() - absl::FromUnixMicros(job.ended_at_us()) > kLastLines;
    const int attempt = request_.attempt() > 0 ? request_.attempt() : job.attempt();
    TY_ASSIGN_OR_RETURN(const auto streams, parts_.logs.Streams(job_id_, attempt));
    bool sent = false;
    for (const LogStream& stream : streams) {
      if (!request_.task().empty() && stream.task != request_.task()) continue;
      TY_ASSIGN_OR_RETURN(const bool some, SendNext(stream));
      sent = sent || some;
    }
    if (sent) return absl::OkStatus();
    if (!request_.follow() || over) {
      End(absl::OkStatus());
      return absl::OkStatus();
    }
    Pause();
    return absl::OkStatus();
  }

  absl::StatusOr<bool> SendNext(const LogStream& stream) {
    const auto [next, first] = next_.emplace(stream.task_uid, request_.offset());
    TY_ASSIGN_OR_RETURN(LogSlice slice, parts_.logs.Read(stream, next->second, kChunkBytes));
    if (slice.bytes.empty()) return false;
    v1::LogChunk chunk;
    chunk.set_task(stream.task);
    chunk.set_offset(slice.offset);
    chunk.set_data(std::move(slice.bytes));
    // A full queue keeps its place: the bytes are read again when the reader has caught up.
    if (queue_.Send(std::move(chunk))) next->second = slice.next;
    return true;
  }

  // Nothing new. Looks again soon; the alarm's end is the next read.
  void Pause() {
    if (std::exchange(pausing_, true)) return;
    pause_.Set(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kFollowInterval),
               [self = shared_from_this()](bool fired) {
                 if (fired) self->ReadOn(true);
               });
  }

  const ServiceParts parts_;
  const v1::GetLogsRequest request_;
  grpc::CallbackServerContext* const context_;
  StreamQueue<v1::LogChunk> queue_;
  absl::Mutex mutex_;  // held by a read while it runs; a call's end waits for it
  bool detached_ = false;
  std::string job_id_;
  std::map<uint64_t, int64_t> next_;
  bool pausing_ = false;
  grpc::Alarm pause_;
};

class LogReactor final : public grpc::ServerWriteReactor<v1::LogChunk> {
 public:
  LogReactor(const ServiceParts& parts, grpc::CallbackServerContext* context,
             const v1::GetLogsRequest& request)
      : state_(std::make_shared<LogState>(
            parts, request,
            StreamQueue<v1::LogChunk>::Stream{
                .write = [this](const v1::LogChunk* chunk) { StartWrite(chunk); },
                .finish = [this](const grpc::Status& status) { Finish(status); }},
            context)) {
    state_->ReadOn();
  }

  void OnWriteDone(bool ok) override {
    if (state_->queue().OnWriteDone(ok)) state_->ReadOn();
  }
  void OnCancel() override { state_->queue().Close(grpc::Status::CANCELLED, true); }
  void OnDone() override {
    state_->Detach();
    delete this;
  }

 private:
  const std::shared_ptr<LogState> state_;
};

}  // namespace

grpc::ServerWriteReactor<v1::LogChunk>* StartLogs(const ServiceParts& parts,
                                                  grpc::CallbackServerContext* context,
                                                  const v1::GetLogsRequest& request) {
  return new LogReactor(parts, context, request);
}

}  // namespace trainyard::coordinator
