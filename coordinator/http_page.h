// /healthz and /metrics for machines that watch machines.

#ifndef TRAINYARD_COORDINATOR_HTTP_PAGE_H_
#define TRAINYARD_COORDINATOR_HTTP_PAGE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trainyard::coordinator {

struct HttpPageOptions {
  // host:port; port 0 = any free one.
  std::string listen = "127.0.0.1:0";
  // Why the process is unwell; OK = healthy. Any thread.
  std::function<absl::Status()> health;
  // The Prometheus text. Any thread.
  std::function<std::string()> metrics;
};

// A running HTTP server with a few threads of its own. Guarded.
class HttpPage {
 public:
  // Unavailable names the address that is taken.
  static absl::StatusOr<std::unique_ptr<HttpPage>> Start(HttpPageOptions options);
  // Waits for requests that run.
  virtual ~HttpPage() = default;
  virtual int port() const = 0;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_HTTP_PAGE_H_
