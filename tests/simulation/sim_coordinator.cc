#include "tests/simulation/sim_coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/describe.h"

namespace trainyard::simulation {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(250);

bool IsHeartbeat(const coordinator::Event& event) {
  return std::holds_alternative<coordinator::AgentHeartbeat>(event) ||
         std::holds_alternative<coordinator::TaskHeartbeat>(event);
}

}  // namespace

SimCoordinator::SimCoordinator(World* world, Network* network, Invariants* invariants,
                               SimCoordinatorOptions options)
    : Actor(world), network_(*network), invariants_(*invariants), options_(std::move(options)) {}

void SimCoordinator::Start() {
  store_ = std::make_unique<coordinator::SimStore>(
      &disk_, [this](const absl::StatusOr<int64_t>& revision) { OnDurable(revision); });
  coordinator::Snapshot snapshot = *store_->Load();
  world_.Trace(
      absl::StrCat("coordinator starts, term ", snapshot.term, ", revision ", snapshot.revision));
  invariants_.OnStart(snapshot);
  core_ = std::make_unique<coordinator::Core>(options_.core, std::move(snapshot), world_.wall());
  TickForever();
}

void SimCoordinator::Crash(absl::Duration away) {
  if (!up()) return;
  const size_t survive = world_.Below(store_->pending() + 1);
  world_.Trace(absl::StrCat("fault: coordinator dies with ", store_->pending(),
                            " batches on their way to the disk, of which ", survive, " arrive"));
  store_->Crash(survive);
  core_.reset();
  outbox_.clear();
  waiting_.clear();
  sync_scheduled_ = false;
  due_scheduled_ = false;
  stalled_until_ = -absl::InfiniteDuration();
  Die();
  network_.ServerDied();
  Later(away, [this] { Start(); });
}

void SimCoordinator::Stall(absl::Duration how_long) {
  if (!up()) return;
  world_.Trace(absl::StrCat("fault: coordinator stalls for ", absl::FormatDuration(how_long)));
  stalled_until_ = world_.now() + how_long;
}

void SimCoordinator::FailDisk() {
  if (!up()) return;
  world_.Trace("fault: the coordinator's disk fails");
  store_->Fail(absl::InternalError("disk I/O error"));
}

void SimCoordinator::FullDisk(absl::Duration how_long) {
  if (!up()) return;
  OnEvent(coordinator::StoreCondition{"no space"});
  Later(how_long, [this] { OnEvent(coordinator::StoreCondition{""}); });
}

void SimCoordinator::OnEvent(coordinator::Event event) {
  if (world_.now() < stalled_until_) {
    waiting_.push_back(std::move(event));
    return;
  }
  CatchUp();
  Step(event);
}

void SimCoordinator::CatchUp() {
  for (const coordinator::Event& event : std::exchange(waiting_, {})) Step(event);
}

void SimCoordinator::TickForever() {
  Later(kTick, [this] {
    if (world_.now() >= stalled_until_) {
      CatchUp();  // what waited comes before the tick
      Step(coordinator::Tick{});
    }
    TickForever();
  });
}

void SimCoordinator::Step(const coordinator::Event& event) {
  if (!up()) return;
  const bool tick = std::holds_alternative<coordinator::Tick>(event) ||
                    std::holds_alternative<coordinator::Due>(event);
  if (!tick && !IsHeartbeat(event)) {
    ++events_;
    world_.Trace(absl::StrCat("-> ", Describe(event)));
  }
  coordinator::Decision decision = core_->Step(event, world_.wall());
  for (const std::string& reason : decision.reasons) world_.Trace(absl::StrCat("   ", reason));
  invariants_.AfterStep(event, decision, core_->state());
  for (const auto& outgoing : decision.immediate) {
    network_.ToClient(outgoing.session, outgoing.order);
  }
  if (decision.batch != nullptr) {
    store_->Write(decision.batch);
    ScheduleSync();
  }
  outbox_.push_back(std::move(decision));
  Release();
  ScheduleDue();
}

void SimCoordinator::ScheduleDue() {
  const absl::Time due = core_->DueAt();
  if (due == absl::InfiniteFuture() || std::exchange(due_scheduled_, true)) return;
  Later(std::max(due - world_.wall(), absl::Milliseconds(1)), [this] {
    due_scheduled_ = false;
    if (world_.now() >= stalled_until_) Step(coordinator::Due{});
  });
}

void SimCoordinator::ScheduleSync() {
  if (std::exchange(sync_scheduled_, true)) return;
  const bool slow = world_.now() < slow_until_;
  const absl::Duration delay = slow ? world_.Between(absl::Milliseconds(100), absl::Seconds(3))
                                    : world_.Between(absl::Milliseconds(1), absl::Milliseconds(10));
  Later(delay, [this] {
    sync_scheduled_ = false;
    const size_t pending = store_->pending();
    store_->Sync(world_.Chance(0.8) ? pending : 1 + world_.Below(pending));
    if (!up()) return;
    if (store_->pending() > 0) return ScheduleSync();
    if (world_.Chance(0.05)) invariants_.MemoryEqualsDisk(core_->state(), disk_);
  });
}

void SimCoordinator::OnDurable(const absl::StatusOr<int64_t>& revision) {
  if (revision.ok()) {
    Release();
    return;
  }
  // A store that failed takes its core with it.
  Later(absl::ZeroDuration(),
        [this] { Crash(world_.Between(absl::Seconds(1), absl::Seconds(5))); });
}

void SimCoordinator::Release() {
  while (!outbox_.empty()) {
    const bool durable = outbox_.front().revision <= disk_.revision;
    if (!durable && !options_.reply_before_durable) return;
    const coordinator::Decision decision = std::move(outbox_.front());
    outbox_.pop_front();
    Emit(decision);
  }
}

void SimCoordinator::Emit(const coordinator::Decision& decision) {
  invariants_.OnLeave(decision, disk_.revision);
  for (const auto& outgoing : decision.orders) {
    network_.ToClient(outgoing.session, outgoing.order);
  }
  for (const auto& reply : decision.replies) network_.ToCaller(reply);
}

}  // namespace trainyard::simulation
