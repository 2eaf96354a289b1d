// The fence as part of a listener: gRPC asks it before any handler sees the call.

#ifndef TRAINYARD_RPC_FENCE_CREDENTIALS_H_
#define TRAINYARD_RPC_FENCE_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "rpc/fence.h"

namespace trainyard::rpc {

// Credentials of a plain-text listener that refuses each call CheckFence refuses, with its status.
// Health and reflection stay open. (A TLS listener does the same by SetAuthMetadataProcessor.)
std::shared_ptr<grpc::ServerCredentials> FencedCredentials(const JobFence& fence);

}  // namespace trainyard::rpc

#endif  // TRAINYARD_RPC_FENCE_CREDENTIALS_H_
