// Virtual time, one queue of what will happen, and the only random numbers of a run. The same seed
// gives the same run.

#ifndef TRAINYARD_TESTS_SIMULATION_WORLD_H_
#define TRAINYARD_TESTS_SIMULATION_WORLD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/random.h"

namespace trainyard::simulation {

class World {
 public:
  explicit World(uint64_t seed) : seed_(seed), random_(DeriveKey(seed, "world")) {}

  absl::Duration now() const { return now_; }
  absl::Time wall() const { return absl::FromUnixSeconds(1'800'000'000) + now_; }
  uint64_t seed() const { return seed_; }

  void After(absl::Duration delay, std::function<void()> action);
  // Runs what is next. False when nothing is.
  bool RunNext();

  // Draws.
  uint64_t Below(uint64_t bound) { return random_.Below(bound, draws_++); }
  bool Chance(double probability) { return random_.UniformDouble(draws_++) < probability; }
  absl::Duration Between(absl::Duration least, absl::Duration most) {
    return least + (most - least) * random_.UniformDouble(draws_++);
  }
  std::string Id(const std::string& prefix);

  // Faults are injected only while they are on.
  bool faults() const { return faults_; }
  void StopFaults() { faults_ = false; }
  // A chance that is 0 when faults are off.
  bool Fault(double probability) { return Chance(probability) && faults_; }

  // The last lines of what happened, for a reader.
  void Trace(const std::string& line);
  const std::deque<std::string>& trace() const { return trace_; }

  // Something that must never be.
  void Violate(const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  const uint64_t seed_;
  CounterRandom random_;
  uint64_t draws_ = 0;
  uint64_t sequence_ = 0;
  absl::Duration now_;
  bool faults_ = true;
  std::map<std::pair<absl::Duration, uint64_t>, std::function<void()>> queue_;
  std::deque<std::string> trace_;
  std::vector<std::string> violations_;
};

// Somebody who can die: what it planned then never happens.
class Actor {
 public:
  explicit Actor(World* world) : world_(*world) {}
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

 protected:
  void Later(absl::Duration delay, std::function<void()> action) {
    world_.After(delay, [life = std::weak_ptr<bool>(life_), action = std::move(action)] {
      if (life.lock() != nullptr) action();
    });
  }
  // Forgets all plans.
  void Die() { life_ = std::make_shared<bool>(true); }

  World& world_;

 private:
  std::shared_ptr<bool> life_ = std::make_shared<bool>(true);
};

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_WORLD_H_
