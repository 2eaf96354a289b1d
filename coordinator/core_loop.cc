#include "coordinator/core_loop.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace trainyard::coordinator {

CoreLoop::CoreLoop(CoreLoopOptions options, Snapshot snapshot, CoreLoopParts parts)
    : options_(options),
      parts_(parts),
      wall_start_(parts.clock.Now()),
      monotonic_start_(parts.clock.Monotonic()),
      core_(options.core, std::move(snapshot), wall_start_),
      term_(core_.term()),
      thread_([this] { Run(); }) {}

CoreLoop::~CoreLoop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

bool CoreLoop::Post(Event event) { return Add(std::move(event), false); }

void CoreLoop::PostAlways(Event event) { Add(std::move(event), true); }

bool CoreLoop::Query(Look look) { return Add(std::move(look), false); }

bool CoreLoop::Add(Item item, bool always) {
  absl::MutexLock lock(&mutex_);
  if (stopping_ || (!always && items_.size() >= options_.queue_capacity)) return false;
  items_.push_back(std::move(item));
  return true;
}

size_t CoreLoop::queued() const {
  absl::MutexLock lock(&mutex_);
  return items_.size();
}

// The wall clock may jump; decisions need a time that does not.
absl::Time CoreLoop::Now() const {
  return wall_start_ + (parts_.clock.Monotonic() - monotonic_start_);
}

void CoreLoop::Run() {
  // A store that opened read-only takes nothing from the first event on.
  NoteStoreCondition();
  absl::Time next_tick = Now() + options_.tick_interval;
  for (;;) {
    std::deque<Item> items;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(this, &CoreLoop::ItemOrStopping),
                              std::min(next_tick, core_.DueAt()) - Now());
      if (items_.empty() && stopping_) return;
      items.swap(items_);
    }
    for (Item& item : items) {
      if (const auto* event = std::get_if<Event>(&item)) {
        Decide(*event);
      } else {
        auto show = std::get<Look>(item)(core_, Now());
        parts_.gate.Push(core_.revision(), std::move(show));
      }
    }
    if (core_.DueAt() <= Now()) Decide(Due{});
    if (Now() < next_tick) continue;
    NoteStoreCondition();
    Decide(Tick{});
    next_tick = Now() + options_.tick_interval;
  }
}

void CoreLoop::Decide(const Event& event) {
  auto decision = std::make_shared<Decision>(core_.Step(event, Now()));
  for (const std::string& reason : decision->reasons) Log().info("{}", reason);
  if (decision->batch != nullptr) parts_.store.Write(decision->batch);
  parts_.outbox.Immediate(*decision);
  if (decision->batch == nullptr && decision->orders.empty() && decision->replies.empty()) return;
  parts_.gate.Push(decision->revision,
                   [&outbox = parts_.outbox, decision] { outbox.Durable(*decision); });
}

void CoreLoop::NoteStoreCondition() {
  std::string reason = parts_.store.read_only_reason();
  if (reason == read_only_reason_) return;
  read_only_reason_ = reason;
  Decide(StoreCondition{std::move(reason)});
}

}  // namespace trainyard::coordinator
