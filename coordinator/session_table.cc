#include "coordinator/session_table.h"

#include <utility>

namespace trainyard::coordinator {

SessionId SessionTable::Add(std::shared_ptr<SessionSink> sink) {
  absl::Status closed;
  SessionId session = 0;
  {
    absl::MutexLock lock(&mutex_);
    session = next_++;
    closed = closed_;
    if (closed.ok()) sinks_[session] = sink;
  }
  if (!closed.ok()) sink->Close(closed);
  return session;
}

void SessionTable::Remove(SessionId session) {
  absl::MutexLock lock(&mutex_);
  sinks_.erase(session);
}

void SessionTable::Send(const Outgoing& outgoing) {
  std::shared_ptr<SessionSink> sink;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = sinks_.find(outgoing.session);
    if (it == sinks_.end()) return;
    sink = it->second;
  }
  sink->Send(outgoing.order);
}

void SessionTable::CloseAll(const absl::Status& status) {
  std::map<SessionId, std::shared_ptr<SessionSink>> sinks;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = status;
    sinks.swap(sinks_);
  }
  for (auto& [session, sink] : sinks) sink->Close(status);
}

size_t SessionTable::size() const {
  absl::MutexLock lock(&mutex_);
  return sinks_.size();
}

}  // namespace trainyard::coordinator
