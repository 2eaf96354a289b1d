// Events in words, for the trace of a failing seed.

#ifndef TRAINYARD_TESTS_SIMULATION_DESCRIBE_H_
#define TRAINYARD_TESTS_SIMULATION_DESCRIBE_H_

#include <string>

#include "coordinator/core/event.h"

namespace trainyard::simulation {

std::string Describe(const coordinator::Event& event);

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_DESCRIBE_H_
