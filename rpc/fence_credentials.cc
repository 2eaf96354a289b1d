#include "rpc/fence_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status.h"

namespace trainyard::rpc {
namespace {

absl::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

absl::Status Check(const JobFence& fence, absl::Span<const grpc_metadata> metadata) {
  PresentedFence presented;
  absl::string_view path;
  for (const grpc_metadata& entry : metadata) {
    const absl::string_view key = View(entry.key);
    const absl::string_view value = View(entry.value);
    if (key == ":path") path = value;
    if (key == kJobKey) presented.job_id = std::string(value);
    if (key == kEpochKey) presented.epoch = std::string(value);
    if (key == kSecretKey) presented.secret = std::string(value);
  }
  const bool open = absl::StartsWith(path, "/grpc.health.") ||
                    absl::StartsWith(path, "/grpc.reflection.");
  return open ? absl::OkStatus() : CheckFence(fence, presented);
}

// gRPC's C interface to whoever looks at a call's metadata; runs on its threads, for every call.
grpc_auth_metadata_processor MakeProcessor(const JobFence& fence) {
  grpc_auth_metadata_processor processor = {};
  processor.process = [](void* state, grpc_auth_context*, const grpc_metadata* metadata,
                         size_t count, grpc_process_auth_metadata_done_cb done, void* user_data) {
    const absl::Status status = Check(*static_cast<const JobFence*>(state), {metadata, count});
    const std::string message(status.message());
    done(user_data, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.code()),
         status.ok() ? nullptr : message.c_str());
  };
  processor.destroy = [](void* state) { delete static_cast<JobFence*>(state); };
  processor.state = new JobFence(fence);
  return processor;
}

class Credentials final : public grpc::ServerCredentials {
 public:
  explicit Credentials(const JobFence& fence)
      : credentials_(grpc_insecure_server_credentials_create()) {
    grpc_server_credentials_set_auth_metadata_processor(credentials_, MakeProcessor(fence));
  }
  ~Credentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    TY_CHECK(!"the fence is this listener's metadata processor");
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> FencedCredentials(const JobFence& fence) {
  return std::make_shared<Credentials>(fence);
}

}  // namespace trainyard::rpc
