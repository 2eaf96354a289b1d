#include "coordinator/core_loop.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "tests/support/sim_store.h"

namespace trainyard::coordinator {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);

// Everything is durable at once.
class QuickStore : public SimStore {
 public:
  using SimStore::SimStore;
  void Write(std::shared_ptr<const Batch> batch) override {
    SimStore::Write(std::move(batch));
    Sync(pending());
  }
};

// Which jobs the agents were told to run.
class Told : public Outbox {
 public:
  void Immediate(const Decision&) override {}
  void Durable(const Decision& decision) override {
    absl::MutexLock lock(&mutex_);
    for (const Outgoing& outgoing : decision.orders) {
      const auto* set = std::get_if<DesiredSet>(&outgoing.order);
      if (set == nullptr) continue;
      for (const DesiredTask& task : set->tasks) jobs_.insert(task.assignment.job_id);
    }
  }
  bool Await(const std::set<std::string>& jobs) {
    const auto all = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return jobs_ == jobs; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&all), kLimit);
  }

 private:
  absl::Mutex mutex_;
  std::set<std::string> jobs_ ABSL_GUARDED_BY(mutex_);
};

SubmitJob Submission(const std::string& name) {
  SubmitJob submit;
  submit.call = 1;
  submit.request_id = name;
  submit.job.id = submit.job.name = name;
  submit.job.shape.preflight = false;
  RoleShape trainer;
  trainer.name = "trainer";
  trainer.resources.cpu_milli = 1000;
  submit.job.shape.roles = {trainer};
  return submit;
}

TEST(CoreLoopTest, WhatWasHeldBackIsDoneInItsTimeWithoutATick) {
  SimDisk disk;
  DurableGate gate;
  QuickStore store(&disk, [&](absl::StatusOr<int64_t> revision) { gate.OnDurable(revision); });
  Told told;
  CoreLoopOptions options;
  options.tick_interval = absl::Hours(1);
  CoreLoop loop(options, *store.Load(), {Clock::Real(), store, gate, told});
  AgentRegister agent;
  agent.session = 1;
  agent.node = "a";
  agent.process_nonce = 1;
  agent.offer.cpu_milli = 8000;
  ASSERT_TRUE(loop.Post(agent));
  // The first of them takes the pass, the others wait for the next one.
  for (const char* name : {"x", "y", "z"}) ASSERT_TRUE(loop.Post(Submission(name)));
  EXPECT_TRUE(told.Await({"x", "y", "z"}));
}

}  // namespace
}  // namespace trainyard::coordinator
