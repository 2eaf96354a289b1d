#include "rpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/port_range.h"
#include "base/status.h"
#include "rpc/fence_credentials.h"

namespace trainyard::rpc {
namespace {

// Both ends ping every 20 s; half of that is the least we accept.
constexpr int kKeepaliveMs = 20'000;
constexpr int kLeastPingIntervalMs = 10'000;

std::string JoinAddress(absl::string_view host, int port) {
  const bool ipv6 = absl::StrContains(host, ':');
  return ipv6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

// Both switches are process-wide and must be set before the first builder.
void EnablePlugins() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)enabled;
}

}  // namespace

absl::StatusOr<HostPort> ParseAddress(absl::string_view address) {
  const size_t colon = address.rfind(':');
  HostPort parsed;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &parsed.port) || parsed.port < 0 ||
      parsed.port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is not an address; write HOST:PORT, port 0 to 65535"));
  }
  absl::string_view host = address.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  }
  parsed.host = std::string(host);
  return parsed;
}

Server::Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  const size_t colon = options.listen.rfind(':');
  const bool has_range = colon != std::string::npos && absl::StrContains(
                                                           options.listen.substr(colon), '-');
  if (!has_range) return StartOn(options.listen, options, services);
  TY_ASSIGN_OR_RETURN(const PortRange range, ParsePortRange(options.listen.substr(colon + 1)));
  for (int port = range.first; port <= range.last; ++port) {
    const std::string address = absl::StrCat(options.listen.substr(0, colon + 1), port);
    absl::StatusOr<std::unique_ptr<Server>> server = StartOn(address, options, services);
    if (server.ok() || !absl::IsUnavailable(server.status())) return server;
  }
  return absl::UnavailableError(
      absl::StrCat("no port of ", options.listen, " is free; widen the range (task_ports)"));
}

absl::StatusOr<std::unique_ptr<Server>> Server::StartOn(
    const std::string& listen, const ServerOptions& options,
    const std::vector<grpc::Service*>& services) {
  TY_ASSIGN_OR_RETURN(const HostPort address, ParseAddress(listen));
  EnablePlugins();
  auto server = std::unique_ptr<Server>(new Server);
  server->host_ = options.advertise.empty() ? address.host : options.advertise;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(
      listen,
      options.fence ? FencedCredentials(*options.fence) : grpc::InsecureServerCredentials(),
      &server->port_);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kLeastPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs / 2);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  // Two servers on one port would share its calls by chance.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  for (grpc::Service* service : services) builder.RegisterService(service);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || server->port_ == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen,
                     ": the port is taken or the host is not this machine's; choose another"));
  }
  server->SetServing(true);
  return server;
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

std::string Server::endpoint() const { return JoinAddress(host_, port_); }

void Server::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void Server::Shutdown(absl::Duration patience) {
  {
    absl::MutexLock lock(&mutex_);
    if (down_ || server_ == nullptr) return;
    down_ = true;
  }
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + patience));
  server_->Wait();
}

}  // namespace trainyard::rpc
