// How an operator sets a coordinator up: flags, and a YAML file with the same names.

#ifndef TRAINYARD_COORDINATOR_CONFIG_H_
#define TRAINYARD_COORDINATOR_CONFIG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace trainyard::coordinator {

struct Config {
  std::string state_dir;                  // required
  std::string listen = "127.0.0.1:7433";  // gRPC
  std::string advertise;                  // host that others reach it under; empty = of `listen`
  std::string http = "127.0.0.1:7434";    // empty = no HTTP
  // Files that the real addresses are written to once it serves; empty = none.
  std::string address_file;
  std::string http_address_file;
  std::string log_level = "info";
  // Set only by the flag of the same name: there is no TLS yet.
  bool serve_without_tls_beyond_loopback = false;
  double lease_seconds = 10;
  double heartbeat_seconds = 2;
  double orphan_timeout_seconds = 1800;
  // Refuse a job that would not fit the cluster as it is, instead of waiting for more nodes.
  bool refuse_unplaceable = false;
};

// Reads a YAML file over `config`. InvalidArgument names file, line and the nearest name of a field
// that does not exist.
absl::Status ReadConfigFile(const std::string& path, Config* config);

// What the flags together may not be. FailedPrecondition: a listener that others can reach would be
// served without TLS.
absl::Status CheckConfig(const Config& config);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CONFIG_H_
