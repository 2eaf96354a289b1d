#include "tests/simulation/world.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace trainyard::simulation {
namespace {

constexpr size_t kTraceLines = 300;

}  // namespace

void World::After(absl::Duration delay, std::function<void()> action) {
  queue_[{now_ + delay, sequence_++}] = std::move(action);
}

bool World::RunNext() {
  if (queue_.empty()) return false;
  auto next = queue_.extract(queue_.begin());
  now_ = next.key().first;
  next.mapped()();
  return true;
}

std::string World::Id(const std::string& prefix) {
  return absl::StrFormat("%s-%08x", prefix, Below(uint64_t{1} << 32));
}

void World::Trace(const std::string& line) {
  trace_.push_back(absl::StrFormat("%10.4f  %s", absl::ToDoubleSeconds(now_), line));
  if (trace_.size() > kTraceLines) trace_.pop_front();
}

void World::Violate(const std::string& what) {
  Trace(absl::StrCat("VIOLATION: ", what));
  violations_.push_back(what);
}

}  // namespace trainyard::simulation
