// A gRPC server with what every server of ours has: health, reflection, keepalive, limits, the
// fence, and a shutdown with a deadline.

#ifndef TRAINYARD_RPC_SERVER_H_
#define TRAINYARD_RPC_SERVER_H_

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "rpc/channel.h"
#include "rpc/fence.h"

namespace grpc {
class Server;
}

namespace trainyard::rpc {

struct ServerOptions {
  // host:port; port 0 = any free one, "FIRST-LAST" = a free one of these.
  std::string listen = "127.0.0.1:0";
  // Host that others reach this server under; empty = the host of `listen`.
  std::string advertise;
  // Checked for every call but health and reflection, before any handler. Nothing = stand-alone.
  std::optional<JobFence> fence;
  int max_message_bytes = kMaxMessageBytes;
  // Calls of one connection at the same time.
  int max_concurrent_streams = 1 << 20;
};

// A running server. Guarded; owned by main. The services must outlive it.
class Server {
 public:
  // Serves `services` (sync or callback). Unavailable names the address that is taken.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const std::vector<grpc::Service*>& services);
  // Shuts down with no patience, when Shutdown was not called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The real port.
  int port() const { return port_; }
  // "advertise:port": what peers dial.
  std::string endpoint() const;

  // What the health service says of the whole server. True from the start.
  void SetServing(bool serving);

  // Not serving any more: refuses new calls, gives running ones `patience`, then cancels them;
  // returns when all have ended. Once.
  void Shutdown(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Server();
  static absl::StatusOr<std::unique_ptr<Server>> StartOn(
      const std::string& listen, const ServerOptions& options,
      const std::vector<grpc::Service*>& services);

  std::string host_;
  int port_ = 0;
  absl::Mutex mutex_;
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Server> server_;
};

// Splits host:port (IPv6 hosts in brackets). InvalidArgument names the address.
struct HostPort {
  std::string host;
  int port = 0;
};
absl::StatusOr<HostPort> ParseAddress(absl::string_view address);

}  // namespace trainyard::rpc

#endif  // TRAINYARD_RPC_SERVER_H_
