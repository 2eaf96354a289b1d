// The open streams of agents and tasks, by number.

#ifndef TRAINYARD_COORDINATOR_SESSION_TABLE_H_
#define TRAINYARD_COORDINATOR_SESSION_TABLE_H_

#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/core/decision.h"

namespace trainyard::coordinator {

// The sending end of one stream. Thread-safe; never blocks.
class SessionSink {
 public:
  virtual ~SessionSink() = default;
  // Sends the order, or ends the stream with a CloseSession's status. A stream that does not keep
  // up is ended: its peer connects again and gets the whole level.
  virtual void Send(const Order& order) = 0;
  // Ends the stream now.
  virtual void Close(const absl::Status& status) = 0;
};

// Guarded. Numbers are never reused.
class SessionTable {
 public:
  SessionId Add(std::shared_ptr<SessionSink> sink) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(SessionId session) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing when the stream is gone.
  void Send(const Outgoing& outgoing) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends every stream, and those added later.
  void CloseAll(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  SessionId next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<SessionId, std::shared_ptr<SessionSink>> sinks_ ABSL_GUARDED_BY(mutex_);
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SESSION_TABLE_H_
