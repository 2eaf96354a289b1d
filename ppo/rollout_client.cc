#include "ppo/rollout_client.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"
#include "ppo/wire.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"

namespace trainyard::ppo {
namespace {

// Samples of one row with following numbers share one prompt, and so its prefill.
v1::GenerateRequest MakeRequest(const std::vector<SampleRequest>& samples,
                                const GenerateOptions& options) {
  v1::GenerateRequest request;
  for (const SampleRequest& sample : samples) {
    if (request.prompts_size() > 0) {
      v1::GeneratePrompt* const last = request.mutable_prompts(request.prompts_size() - 1);
      if (last->row() == sample.row && last->first_sample() + last->n() == sample.sample) {
        last->set_n(last->n() + 1);
        continue;
      }
    }
    v1::GeneratePrompt* const prompt = request.add_prompts();
    prompt->set_row(sample.row);
    prompt->mutable_token_ids()->Add(sample.prompt->begin(), sample.prompt->end());
    prompt->set_n(1);
    prompt->set_first_sample(static_cast<int32_t>(sample.sample));
  }
  *request.mutable_sampling() = SamplingToWire(options.sampling);
  request.set_seed(options.seed);
  request.set_policy_version(options.policy_version);
  request.set_tokenizer_hash(options.tokenizer_hash);
  return request;
}

}  // namespace

RolloutClient::RolloutClient(const std::string& endpoint, const rpc::JobFence& fence)
    : endpoint_(endpoint),
      fence_(fence),
      stub_(v1::RolloutService::NewStub(rpc::OpenChannel(endpoint))) {}

absl::Status RolloutClient::Generate(const std::vector<SampleRequest>& samples,
                                     const GenerateOptions& options,
                                     const std::function<void(rl::Trajectory)>& on_answer,
                                     CancelScope* scope) {
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = options.timeout, .fence = fence_}, &context);
  std::optional<CancelScope::Attached> attached;
  if (scope != nullptr) attached.emplace(scope, &context);
  const auto stream = stub_->Generate(&context, MakeRequest(samples, options));
  size_t delivered = 0;
  absl::Status refused;
  v1::GenerateResponse response;
  while (stream->Read(&response)) {
    absl::StatusOr<rl::Trajectory> answer = AnswerFromWire(response.trajectory());
    if (!answer.ok()) {
      refused.Update(answer.status());
      continue;
    }
    for (const rl::Span& span : answer->spans) {
      if (span.source != rl::SpanSource::kModel || span.policy_version == options.policy_version) {
        continue;
      }
      refused.Update(absl::FailedPreconditionError(
          absl::StrCat("ledger row ", answer->row, " was answered by policy version ",
                       span.policy_version, ", asked was ", options.policy_version)));
      answer = refused;
      break;
    }
    if (!answer.ok()) continue;
    ++delivered;
    on_answer(*std::move(answer));
  }
  TY_RETURN_IF_ERROR(rpc::FromGrpc(stream->Finish(), context));
  TY_RETURN_IF_ERROR(refused);
  if (delivered == samples.size()) return absl::OkStatus();
  return PeerLostError(absl::StrCat(endpoint_, " ended its stream after ", delivered, " of ",
                                    samples.size(), " answers"));
}

absl::Status RolloutClient::LoadWeights(const v1::WeightsManifest& manifest,
                                        absl::Duration timeout, CancelScope* scope) {
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = timeout, .fence = fence_}, &context);
  std::optional<CancelScope::Attached> attached;
  if (scope != nullptr) attached.emplace(scope, &context);
  v1::LoadWeightsRequest request;
  *request.mutable_manifest() = manifest;
  v1::LoadWeightsResponse response;
  const grpc::Status called = stub_->LoadWeights(&context, request, &response);
  TY_RETURN_IF_ERROR(rpc::FromGrpc(called, context));
  if (response.version() == manifest.version()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(endpoint_, " serves version ", response.version(),
                                          " after loading ", manifest.version()));
}

}  // namespace trainyard::ppo
