// Connections to a server.

#ifndef TRAINYARD_RPC_CHANNEL_H_
#define TRAINYARD_RPC_CHANNEL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace trainyard::rpc {

// Limit of one message, both directions, clients and servers alike.
inline constexpr int kMaxMessageBytes = 64 << 20;

struct ChannelOptions {
  int max_message_bytes = kMaxMessageBytes;
  // A ping after this long without traffic, and the wait for its answer. Servers allow one in 10 s.
  absl::Duration keepalive = absl::Seconds(20);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  // Longest pause between attempts to connect.
  absl::Duration longest_backoff = absl::Seconds(2);
  // A connection of its own instead of one shared with other channels to the same address: for bulk
  // bytes beside small calls.
  bool own_connection = false;
};

// A channel to `address` (host:port). Connects lazily and again for ever; thread-safe.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const ChannelOptions& options = {});

}  // namespace trainyard::rpc

#endif  // TRAINYARD_RPC_CHANNEL_H_
