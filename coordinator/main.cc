// trainyard-coordinator: the durable job service and scheduler of a cluster.

#include <CLI/CLI.hpp>
#include <atomic>
#include <iostream>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/shutdown.h"
#include "base/version.h"
#include "coordinator/config.h"
#include "coordinator/service.h"

namespace trainyard::coordinator {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr char kInsecureFlag[] = "--serve-without-tls-beyond-loopback";

void AddOptions(CLI::App& app, Config* config) {
  app.add_option("--state-dir", config->state_dir,
                 "directory of the coordinator's state, on a local disk");
  app.add_option("--listen", config->listen, "address of gRPC (port 0: any free one)")
      ->capture_default_str();
  app.add_option("--advertise", config->advertise, "host that agents reach it under");
  app.add_option("--http", config->http, "address of /healthz and /metrics; empty: none")
      ->capture_default_str();
  app.add_option("--address-file", config->address_file,
                 "write the gRPC address here once it serves");
  app.add_option("--http-address-file", config->http_address_file,
                 "write the HTTP address here once it serves");
  app.add_option("--log-level", config->log_level, "trace, debug, info, warn or error")
      ->capture_default_str();
  app.add_option("--lease-seconds", config->lease_seconds,
                 "an agent that is silent this long is lost")
      ->capture_default_str();
  app.add_option("--heartbeat-seconds", config->heartbeat_seconds, "pace of agents and tasks")
      ->capture_default_str();
  app.add_option("--orphan-timeout-seconds", config->orphan_timeout_seconds,
                 "an agent that is cut off this long stops its tasks")
      ->capture_default_str();
  app.add_flag("--refuse-unplaceable", config->refuse_unplaceable,
               "refuse jobs that would not fit the cluster as it is (default: they wait)");
  app.add_flag(kInsecureFlag, config->serve_without_tls_beyond_loopback,
               "allow listeners that other machines reach, without TLS");
}

int Fail(const absl::Status& status, int code) {
  std::cerr << "trainyard-coordinator: " << status.message() << "\n";
  return code;
}

int Serve(const Config& config) {
  ConfigureLog("coordinator", config.log_level);
  CoreOptions core;
  core.lease = absl::Seconds(config.lease_seconds);
  core.heartbeat_interval = absl::Seconds(config.heartbeat_seconds);
  core.orphan_timeout = absl::Seconds(config.orphan_timeout_seconds);
  core.refuse_unplaceable = config.refuse_unplaceable;
  auto coordinator =
      Coordinator::Start(config, core, Clock::Real(), [](const absl::Status& failure) {
        // What is in memory is ahead of what is on disk: the way back is a new start.
        Log().critical("the store can not write: {}", std::string(failure.message()));
        Log().flush();
        std::_Exit(kExitFailed);
      });
  if (!coordinator.ok()) return Fail(coordinator.status(), kExitFailed);
  Log().info("serving on {} (HTTP {})", (*coordinator)->endpoint(),
             (*coordinator)->http_endpoint());
  const int signal = WaitForStopSignal(absl::InfiniteDuration());
  Log().info("signal {}: stopping", signal);
  coordinator->reset();
  Log().info("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  Config config;
  std::string file;
  CLI::App app(
      "The durable job service and scheduler of a Trainyard cluster.\n"
      "Example: trainyard-coordinator --state-dir /var/lib/trainyard "
      "--listen 127.0.0.1:7433");
  app.set_version_flag("--version", kVersion);
  // The file first, so that flags win.
  CLI::App first;
  first.allow_extras();
  first.set_help_flag();
  first.add_option("--config", file);
  app.add_option("--config", file, "YAML file with the same names as the flags");
  AddOptions(app, &config);
  try {
    first.parse(argc, argv);
    if (!file.empty()) {
      const absl::Status read = ReadConfigFile(file, &config);
      if (!read.ok()) return Fail(read, kExitUsage);
    }
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  const absl::Status check = CheckConfig(config);
  if (!check.ok()) return Fail(check, kExitUsage);
  return Serve(config);
}

}  // namespace
}  // namespace trainyard::coordinator

int main(int argc, char** argv) { return trainyard::coordinator::Main(argc, argv); }
