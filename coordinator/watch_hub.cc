#include "coordinator/watch_hub.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rpc/status.h"

namespace trainyard::coordinator {

Watcher::Watcher(std::string job, std::string pipeline, size_t max_held, Sink sink)
    : job_(std::move(job)),
      pipeline_(std::move(pipeline)),
      max_held_(max_held),
      sink_(std::move(sink)) {}

void Watcher::Tell(const v1::WatchJobsEvent& event) {
  absl::MutexLock lock(&mutex_);
  if (!open_) return;
  if (synced_) return Send(event);
  if (held_.size() >= max_held_) return TooSlow();
  held_.push_back(event);
}

void Watcher::TellSnapshot(const v1::WatchJobsEvent& event) {
  absl::MutexLock lock(&mutex_);
  if (!open_) return;
  shown_[event.job().id()] = event.revision();
  Send(event);
}

void Watcher::Synced(int64_t revision) {
  absl::MutexLock lock(&mutex_);
  if (!open_) return;
  v1::WatchJobsEvent mark;
  mark.set_revision(revision);
  mark.set_synced(true);
  Send(mark);
  for (const v1::WatchJobsEvent& event : held_) {
    const auto shown = shown_.find(event.job().id());
    const int64_t known = shown == shown_.end() ? revision : shown->second;
    if (event.revision() > known) Send(event);
  }
  held_.clear();
  shown_.clear();
  synced_ = true;
}

void Watcher::Silence() {
  absl::MutexLock lock(&mutex_);
  open_ = false;
  sink_ = {};
}

void Watcher::Send(const v1::WatchJobsEvent& event) {
  if (open_ && !sink_.send(event)) TooSlow();
}

void Watcher::TooSlow() {
  open_ = false;
  held_.clear();
  sink_.close(rpc::WithDetail(
      absl::OutOfRangeError("the watcher did not keep up and its buffer is full"),
      {.reason = "WATCHER_TOO_SLOW", .remedy = "watch again from a snapshot (revision 0)"}));
}

void WatchHub::Add(std::shared_ptr<Watcher> watcher) {
  absl::MutexLock lock(&mutex_);
  watchers_[watcher.get()] = watcher;
}

void WatchHub::Remove(const std::shared_ptr<Watcher>& watcher) {
  absl::MutexLock lock(&mutex_);
  watchers_.erase(watcher.get());
}

void WatchHub::Publish(const std::string& job_id, const std::string& pipeline_id,
                       const std::function<v1::WatchJobsEvent()>& make) {
  v1::Job key;
  key.set_id(job_id);
  key.set_pipeline_id(pipeline_id);
  std::vector<std::shared_ptr<Watcher>> wanted;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [pointer, watcher] : watchers_) {
      if (watcher->Wants(key)) wanted.push_back(watcher);
    }
  }
  if (wanted.empty()) return;
  const v1::WatchJobsEvent event = make();
  for (const auto& watcher : wanted) watcher->Tell(event);
}

size_t WatchHub::size() const {
  absl::MutexLock lock(&mutex_);
  return watchers_.size();
}

}  // namespace trainyard::coordinator
