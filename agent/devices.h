// What this machine has to offer.

#ifndef TRAINYARD_AGENT_DEVICES_H_
#define TRAINYARD_AGENT_DEVICES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/core.h"

namespace trainyard::agent {

// Thousandths of a core this process may use: its affinity mask, cut by the cgroup's quota.
int64_t UsableCpuMilli();

// Bytes this process may use: the machine's memory, cut by the cgroup's limit.
int64_t UsableMemoryBytes();

// GPUs as NVML sees them, without those on which a foreign compute process runs (logged by name).
// Empty where there is no NVML library. Unavailable when NVML is there and fails.
absl::StatusOr<std::vector<GpuDevice>> OfferedGpus();

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_DEVICES_H_
