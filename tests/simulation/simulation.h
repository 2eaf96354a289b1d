// One run of the whole cluster on a virtual clock, from a seed.

#ifndef TRAINYARD_TESTS_SIMULATION_SIMULATION_H_
#define TRAINYARD_TESTS_SIMULATION_SIMULATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/sim_coordinator.h"

namespace trainyard::simulation {

struct SimulationOptions {
  uint64_t seed = 1;
  // Coordinator events (without ticks and heartbeats) before the faults stop.
  int64_t events = 1000;
  SimCoordinatorOptions coordinator;
};

struct SimulationResult {
  std::vector<std::string> violations;
  std::vector<std::string> trace;  // the last lines before the first violation
  int64_t events = 0;
  // What happened, by type: rows of the coordinator's event log, and faults.
  std::map<std::string, int64_t> counts;
};

// Runs until the first violation, or until all is quiet.
SimulationResult Simulate(const SimulationOptions& options);

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_SIMULATION_H_
