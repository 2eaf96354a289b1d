#include "coordinator/watch_stream.h"

#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/stream_queue.h"
#include "coordinator/wire.h"
#include "rpc/status.h"

namespace trainyard::coordinator {
namespace {

constexpr size_t kBuffer = 1024;       // events of a synced watcher
constexpr size_t kMaxHeld = 4096;      // changes that wait for the snapshot
constexpr int kPage = 256;             // jobs read at a time
constexpr int64_t kMaxBehind = 10000;  // jobs changed since the asked revision

absl::Status TooFar(const std::string& what) {
  return rpc::WithDetail(
      absl::OutOfRangeError(what),
      {.reason = "REVISION_COMPACTED", .remedy = "watch again from a snapshot (revision 0)"});
}

// What the reactor and a read that is under way share: the read may outlive the call.
class WatchState : public std::enable_shared_from_this<WatchState> {
 public:
  WatchState(const ServiceParts& parts, const v1::WatchJobsRequest& request,
             StreamQueue<v1::WatchJobsEvent>::Stream stream, grpc::CallbackServerContext* context)
      : parts_(parts), request_(request), context_(context), queue_(kBuffer, std::move(stream)) {}

  StreamQueue<v1::WatchJobsEvent>& queue() { return queue_; }

  // Begins: from now on no change is missed.
  void Begin() {
    start_ = parts_.courier.revision();
    if (request_.revision() > start_) {
      return End(TooFar(absl::StrCat("revision ", request_.revision(),
                                     " is not known here; the newest is ", start_)));
    }
    Watcher::Sink sink;
    sink.send = [this](v1::WatchJobsEvent event) { return queue_.Send(std::move(event)); };
    sink.close = [this](const absl::Status& status) { End(status); };
    watcher_ = std::make_shared<Watcher>(job_id_, request_.pipeline(), kMaxHeld, std::move(sink));
    parts_.watches.Add(watcher_);
    after_ = request_.revision();
    NextPage();
  }

  // Names become ids first: a watcher follows one job, not its successor of the same name.
  void Resolve() {
    Read([](WatchState& self) {
      if (!self.request_.job().empty()) {
        auto job = ReadJob(self.parts_, self.request_.job());
        if (!job.ok()) return self.End(job.status());
        self.job_id_ = job->id();
      }
      if (!self.request_.pipeline().empty()) {
        auto pipeline = self.parts_.store.FindPipeline(self.request_.pipeline());
        if (!pipeline.ok()) return self.End(pipeline.status());
        self.request_.set_pipeline(pipeline->id);
      }
      self.Begin();
    });
  }

  // The reader took everything: read on, when there is more to show.
  void Drained() {
    if (paging_.exchange(false)) NextPage();
  }

  // The call is over; nothing of the reactor is touched any more.
  void Detach() {
    absl::MutexLock lock(&mutex_);
    detached_ = true;
    if (watcher_ == nullptr) return;
    watcher_->Silence();
    parts_.watches.Remove(watcher_);
  }

 private:
  void End(const absl::Status& status) { queue_.Close(rpc::ToGrpc(status, context_), true); }

  void NextPage() {
    Read([](WatchState& self) {
      const absl::Status status =
          self.request_.revision() > 0 ? self.ShowDeltas() : self.ShowPage();
      if (!status.ok()) self.End(status);
    });
  }

  // Runs on the read pool while the call lives.
  void Read(std::function<void(WatchState&)> read) {
    const bool queued = parts_.reads.Post([self = shared_from_this(), read = std::move(read)] {
      absl::MutexLock lock(&self->mutex_);
      if (!self->detached_) read(*self);
    });
    if (!queued) End(Overloaded());
  }

  void Show(const v1::Job& job, int64_t revision) {
    v1::WatchJobsEvent event;
    event.set_revision(revision);
    *event.mutable_job() = job;
    watcher_->TellSnapshot(event);
  }

  absl::Status ShowPage() {
    if (!job_id_.empty()) {
      const int64_t revision = parts_.courier.revision();
      TY_ASSIGN_OR_RETURN(const v1::Job job, ReadJob(parts_, job_id_));
      Show(job, revision);
      watcher_->Synced(revision);
      return absl::OkStatus();
    }
    JobFilter filter;
    filter.pipeline_id = request_.pipeline();
    TY_ASSIGN_OR_RETURN(const JobPage page, parts_.store.ListJobs(filter, {kPage, page_token_}));
    for (const JobRecord& record : page.jobs) {
      const auto view = parts_.board.Find(record.id);
      Show(view.has_value() ? ToWire(*view) : ToWire(record), page.revision);
    }
    page_token_ = page.next;
    return AfterPage(!page_token_.empty() && !page.jobs.empty());
  }

  absl::Status ShowDeltas() {
    TY_ASSIGN_OR_RETURN(const auto jobs, parts_.store.JobsChangedSince(after_, kPage));
    shown_ += static_cast<int64_t>(jobs.size());
    const bool more = jobs.size() == kPage;
    // A page that ends inside a revision is read again from before it.
    const int64_t last = jobs.empty() ? after_ : jobs.back().revision - (more ? 1 : 0);
    if (shown_ > kMaxBehind || (more && last <= after_)) {
      return TooFar(absl::StrCat("too much changed since revision ", request_.revision()));
    }
    for (const JobRecord& record : jobs) {
      v1::Job key;
      key.set_id(record.id);
      key.set_pipeline_id(record.pipeline_id);
      if (!watcher_->Wants(key)) continue;
      const auto view = parts_.board.Find(record.id);
      Show(view.has_value() ? ToWire(*view) : ToWire(record), record.revision);
    }
    after_ = last;
    return AfterPage(more);
  }

  absl::Status AfterPage(bool more) {
    if (!more) {
      watcher_->Synced(start_);
      return absl::OkStatus();
    }
    // The next page is read when the reader has taken this one (it may have done so by now).
    paging_ = true;
    if (queue_.empty()) Drained();
    return absl::OkStatus();
  }

  const ServiceParts parts_;
  v1::WatchJobsRequest request_;
  grpc::CallbackServerContext* const context_;
  StreamQueue<v1::WatchJobsEvent> queue_;
  absl::Mutex mutex_;  // held by a read while it runs; a call's end waits for it
  bool detached_ = false;
  std::string job_id_;
  std::shared_ptr<Watcher> watcher_;
  int64_t start_ = 0;
  std::string page_token_;
  int64_t after_ = 0;
  int64_t shown_ = 0;
  std::atomic<bool> paging_ = false;
};

class WatchReactor final : public grpc::ServerWriteReactor<v1::WatchJobsEvent> {
 public:
  WatchReactor(const ServiceParts& parts, grpc::CallbackServerContext* context,
               const v1::WatchJobsRequest& request)
      : state_(std::make_shared<WatchState>(
            parts, request,
            StreamQueue<v1::WatchJobsEvent>::Stream{
                .write = [this](const v1::WatchJobsEvent* event) { StartWrite(event); },
                .finish = [this](const grpc::Status& status) { Finish(status); }},
            context)) {
    state_->Resolve();
  }

  void OnWriteDone(bool ok) override {
    if (state_->queue().OnWriteDone(ok)) state_->Drained();
  }
  void OnCancel() override { state_->queue().Close(grpc::Status::CANCELLED, true); }
  void OnDone() override {
    state_->Detach();
    delete this;
  }

 private:
  const std::shared_ptr<WatchState> state_;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchJobsEvent>* StartWatch(const ServiceParts& parts,
                                                         grpc::CallbackServerContext* context,
                                                         const v1::WatchJobsRequest& request) {
  return new WatchReactor(parts, context, request);
}

}  // namespace trainyard::coordinator
