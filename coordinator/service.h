// A whole coordinator in one object: store, core, services, HTTP page. What main runs, and what
// tests run in their own process.

#ifndef TRAINYARD_COORDINATOR_SERVICE_H_
#define TRAINYARD_COORDINATOR_SERVICE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "coordinator/config.h"
#include "coordinator/core/options.h"

namespace trainyard::coordinator {

// Guarded; owned by main. The destructor stops in order: no new calls, streams told to go
// elsewhere, what is decided made durable, files closed.
class Coordinator {
 public:
  // Opens the state directory (locked against a second coordinator) and serves. `on_failure` is
  // told once when the store can not write any more: nothing is acknowledged after that and the
  // process must end. Errors as OpenSqliteStore; Unavailable names an address that is taken.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Start(
      const Config& config, const CoreOptions& core, const Clock& clock,
      std::function<void(absl::Status)> on_failure);
  virtual ~Coordinator() = default;

  // host:port of gRPC, and of HTTP (empty: none).
  virtual std::string endpoint() const = 0;
  virtual std::string http_endpoint() const = 0;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SERVICE_H_
