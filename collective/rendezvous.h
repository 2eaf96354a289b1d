// How the ranks of one attempt become a group: rank 0 hosts the store on a free port, its address
// travels through the coordinator as the endpoint of rank 0's task, and all connect.

#ifndef TRAINYARD_COLLECTIVE_RENDEZVOUS_H_
#define TRAINYARD_COLLECTIVE_RENDEZVOUS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/port_range.h"
#include "collective/group.h"

namespace trainyard::collective {

enum class Backend { kGloo, kNccl };

struct RendezvousOptions {
  std::string job;            // with `epoch` the prefix of all keys: attempts never meet
  int64_t epoch = 0;
  int rank = 0;
  int world_size = 1;
  std::string host;           // name or address of this machine that the peers can reach
  PortRange ports;            // rank 0: where the store may listen
  Backend backend = Backend::kGloo;
  absl::Duration join_timeout = absl::Minutes(2);
  absl::Duration call_timeout = absl::Minutes(10);
  // Rank 0: makes "host:port" known to the peers.
  std::function<absl::Status(const std::string& endpoint)> publish;
  // Other ranks: waits for what rank 0 published.
  std::function<absl::StatusOr<std::string>(absl::Duration timeout)> await_endpoint;
};

// The group, with all ranks connected. A world of one needs neither callback nor network.
// DeadlineExceeded names the ranks that did not come; FailedPrecondition: a back end that this
// build does not have.
absl::StatusOr<std::unique_ptr<Group>> JoinGroup(const RendezvousOptions& options);

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_RENDEZVOUS_H_
