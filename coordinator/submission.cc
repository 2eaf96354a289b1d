#include "coordinator/submission.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/service_parts.h"
#include "coordinator/spec_shape.h"
#include "coordinator/spec_validation.h"

namespace trainyard::coordinator {
namespace {

constexpr size_t kMaxRequestId = 128;
constexpr size_t kMaxSpecBytes = 1 << 20;

// The same message is the same bytes: maps in order.
std::string CanonicalBytes(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

absl::Status CheckEnvelope(const std::string& request_id, bool validate_only,
                           const google::protobuf::Message& spec) {
  // A check stores nothing: there is nothing to be known again.
  if ((request_id.empty() && !validate_only) || request_id.size() > kMaxRequestId) {
    return ViolationsStatus(
        {{"request_id",
          absl::StrCat("has ", request_id.size(), " characters, must have 1..", kMaxRequestId)}});
  }
  if (spec.ByteSizeLong() > kMaxSpecBytes) {
    return rpc::WithDetail(
        absl::InvalidArgumentError(
            absl::StrCat("the spec has ", spec.ByteSizeLong(), " bytes, at most ", kMaxSpecBytes)),
        {.reason = "TOO_LARGE", .remedy = "put word lists and templates into files under a root"});
  }
  return absl::OkStatus();
}

JobDraft MakeDraft(const std::string& id, const v1::JobSpec& spec) {
  return {.id = id,
          .secret = RandomSecret(),
          .name = spec.name(),
          .shape = ShapeOf(spec),
          .spec = CanonicalBytes(spec)};
}

}  // namespace

absl::StatusOr<SubmitJob> MakeSubmission(const v1::SubmitJobRequest& request) {
  TY_RETURN_IF_ERROR(CheckEnvelope(request.request_id(), request.validate_only(), request.spec()));
  TY_RETURN_IF_ERROR(ViolationsStatus(ValidateJob(request.spec())));
  const std::string id = RandomId("job");
  v1::JobSpec spec = request.spec();
  FillDefaults(id, &spec);
  return SubmitJob{.principal = kPrincipal,
                   .request_id = request.request_id(),
                   .body_digest = Sha256Hex(CanonicalBytes(request.spec())),
                   .validate_only = request.validate_only(),
                   .job = MakeDraft(id, spec)};
}

absl::StatusOr<SubmitPipeline> MakeSubmission(const v1::SubmitPipelineRequest& request) {
  TY_RETURN_IF_ERROR(CheckEnvelope(request.request_id(), request.validate_only(), request.spec()));
  TY_RETURN_IF_ERROR(ViolationsStatus(ValidatePipeline(request.spec())));
  const std::string id = RandomId("pipeline");
  v1::PipelineSpec spec = request.spec();
  FillPipelineDefaults(id, &spec);
  SubmitPipeline event{.principal = kPrincipal,
                       .request_id = request.request_id(),
                       .body_digest = Sha256Hex(CanonicalBytes(request.spec())),
                       .validate_only = request.validate_only(),
                       .id = id,
                       .name = spec.name()};
  for (const v1::JobSpec& stage : spec.stages()) {
    event.stages.push_back(MakeDraft(RandomId("job"), stage));
  }
  return event;
}

}  // namespace trainyard::coordinator
