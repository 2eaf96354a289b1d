#include "coordinator/durable_gate.h"

#include <utility>

namespace trainyard::coordinator {

DurableGate::DurableGate() : thread_([this] { Run(); }) {}

DurableGate::~DurableGate() { Stop(); }

void DurableGate::OnDurable(absl::StatusOr<int64_t> revision) {
  absl::MutexLock lock(&mutex_);
  if (!revision.ok()) {
    failure_ = revision.status();
  } else if (*revision > durable_) {
    durable_ = *revision;
  }
}

void DurableGate::Push(int64_t revision, std::function<void()> release) {
  absl::MutexLock lock(&mutex_);
  if (!stopping_) held_.push_back({revision, std::move(release)});
}

void DurableGate::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

int64_t DurableGate::durable_revision() const {
  absl::MutexLock lock(&mutex_);
  return durable_;
}

absl::Status DurableGate::failure() const {
  absl::MutexLock lock(&mutex_);
  return failure_;
}

size_t DurableGate::waiting() const {
  absl::MutexLock lock(&mutex_);
  return held_.size();
}

bool DurableGate::FrontIsDurable() const {
  return !held_.empty() && held_.front().revision <= durable_;
}

bool DurableGate::Wake() const { return stopping_ || FrontIsDurable(); }

void DurableGate::Run() {
  for (;;) {
    std::deque<Held> ready;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &DurableGate::Wake));
      while (FrontIsDurable()) {
        ready.push_back(std::move(held_.front()));
        held_.pop_front();
      }
      if (ready.empty()) return;
    }
    for (Held& held : ready) held.release();
  }
}

}  // namespace trainyard::coordinator
