// Who is told when a job changes.

#ifndef TRAINYARD_COORDINATOR_WATCH_HUB_H_
#define TRAINYARD_COORDINATOR_WATCH_HUB_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::coordinator {

// One watcher: what it was told already, and what waits until its snapshot is through. Guarded.
class Watcher {
 public:
  struct Sink {
    // False when the reader does not keep up.
    std::function<bool(v1::WatchJobsEvent)> send;
    std::function<void(const absl::Status&)> close;
  };

  // Empty ids = every job. `max_held` bounds the events that wait for the snapshot.
  Watcher(std::string job, std::string pipeline, size_t max_held, Sink sink);

  // A change. Closes the watcher with OutOfRange when it is too slow.
  void Tell(const v1::WatchJobsEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);
  // A job of the snapshot, read when everything up to event.revision() was durable.
  void TellSnapshot(const v1::WatchJobsEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);
  // The snapshot, as of `revision`, is complete: marks it and passes on what waited.
  void Synced(int64_t revision) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing is sent any more. For the reactor's end.
  void Silence() ABSL_LOCKS_EXCLUDED(mutex_);

  bool Wants(const v1::Job& job) const {
    return (job_.empty() || job.id() == job_) &&
           (pipeline_.empty() || job.pipeline_id() == pipeline_);
  }

 private:
  void Send(const v1::WatchJobsEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TooSlow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string job_;
  const std::string pipeline_;
  const size_t max_held_;
  absl::Mutex mutex_;
  Sink sink_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
  bool synced_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::WatchJobsEvent> held_ ABSL_GUARDED_BY(mutex_);
  // Revision at which the snapshot showed each job; forgotten once it is through.
  std::map<std::string, int64_t> shown_ ABSL_GUARDED_BY(mutex_);
};

// Guarded.
class WatchHub {
 public:
  void Add(std::shared_ptr<Watcher> watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls `make` only when somebody wants a job with this id and pipeline.
  void Publish(const std::string& job_id, const std::string& pipeline_id,
               const std::function<v1::WatchJobsEvent()>& make) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::map<Watcher*, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_WATCH_HUB_H_
