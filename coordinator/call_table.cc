#include "coordinator/call_table.h"

#include <utility>

namespace trainyard::coordinator {

CallId CallTable::Add(Answer answer) {
  absl::Status closed;
  CallId call = 0;
  {
    absl::MutexLock lock(&mutex_);
    call = next_++;
    closed = closed_;
    if (closed.ok()) waiting_[call] = std::move(answer);
  }
  if (!closed.ok()) answer({.call = call, .status = closed});
  return call;
}

void CallTable::Resolve(const Reply& reply) {
  Answer answer;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = waiting_.find(reply.call);
    if (it == waiting_.end()) return;
    answer = std::move(it->second);
    waiting_.erase(it);
  }
  answer(reply);
}

void CallTable::FailAll(const absl::Status& status) {
  std::map<CallId, Answer> waiting;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = status;
    waiting.swap(waiting_);
  }
  for (auto& [call, answer] : waiting) answer({.call = call, .status = status});
}

size_t CallTable::size() const {
  absl::MutexLock lock(&mutex_);
  return waiting_.size();
}

}  // namespace trainyard::coordinator
