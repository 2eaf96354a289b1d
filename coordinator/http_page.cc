#include "coordinator/http_page.h"

#include <httplib.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "rpc/server.h"

namespace trainyard::coordinator {
namespace {

constexpr int kThreads = 2;
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";

class Page final : public HttpPage {
 public:
  explicit Page(HttpPageOptions options) : options_(std::move(options)) {
    // The default shares the port with whoever else wants it.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.Get("/healthz", [this](const httplib::Request&, httplib::Response& response) {
      const absl::Status health = options_.health();
      if (!health.ok()) response.status = 503;
      response.set_content(health.ok() ? "ok\n" : absl::StrCat(health.message(), "\n"),
                           "text/plain");
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(options_.metrics(), kPrometheus);
    });
  }

  ~Page() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen() {
    TY_ASSIGN_OR_RETURN(const rpc::HostPort address, rpc::ParseAddress(options_.listen));
    if (address.port == 0) {
      port_ = server_.bind_to_any_port(address.host);
    } else if (server_.bind_to_port(address.host, address.port)) {
      port_ = address.port;
    }
    if (port_ <= 0) {
      return absl::UnavailableError(absl::StrCat("can not listen on ", options_.listen,
                                                 " for HTTP; is another program there?"));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() before the loop runs would be forgotten by it.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  const HttpPageOptions options_;
  httplib::Server server_;
  int port_ = -1;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpPage>> HttpPage::Start(HttpPageOptions options) {
  auto page = std::make_unique<Page>(std::move(options));
  TY_RETURN_IF_ERROR(page->Listen());
  return page;
}

}  // namespace trainyard::coordinator
