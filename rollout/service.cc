#include "rollout/service.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "rollout/answer_stream.h"
#include "rpc/status.h"

namespace trainyard::rollout {
namespace {

// How often a stream looks whether its client is still there.
constexpr absl::Duration kCancelCheck = absl::Milliseconds(10);

int SampleCount(const std::vector<GenerateRequest>& requests) {
  int count = 0;
  for (const GenerateRequest& request : requests) count += std::max(request.n, 0);
  return count;
}

}  // namespace

// One Generate call while its trajectories are sent.
struct RolloutService::Stream {
  grpc::ServerContext* context;
  grpc::ServerWriter<v1::GenerateResponse>* writer;
  const v1::GenerateRequest* request;
  std::vector<uint64_t> tickets;  // by prompt
  int samples;
};

absl::Status RolloutService::CheckTokenizer(const std::string& hash) const {
  const std::vector<std::string>& known = identity_.tokenizer_hashes;
  if (hash.empty() || known.empty() || std::count(known.begin(), known.end(), hash) > 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "tokens were made with tokenizer ", hash, ", this model's is ", identity_.tokenizer_hash));
}

absl::Duration RolloutService::TimeLeft(const grpc::ServerContext& context) const {
  const absl::Time deadline = absl::FromChrono(context.deadline());
  return std::min(deadline - parts_.clock->Now(), kDefaultCallTimeout);
}

grpc::Status RolloutService::Generate(grpc::ServerContext* context,
                                      const v1::GenerateRequest* request,
                                      grpc::ServerWriter<v1::GenerateResponse>* writer) {
  const absl::Status tokenizer = CheckTokenizer(request->tokenizer_hash());
  if (!tokenizer.ok()) return rpc::ToGrpc(tokenizer, context);
  auto requests = ReadGenerate(*request, identity_.defaults);
  if (!requests.ok()) return rpc::ToGrpc(requests.status(), context);
  Stream stream{context, writer, request, {}, SampleCount(*requests)};
  auto deliveries =
      std::make_shared<EngineLoop::Deliveries>(stream.samples + EngineLoop::kMostDeltas);
  auto tickets = parts_.loop->Generate({*std::move(requests), request->policy_version(),
                                        TimeLeft(*context), deliveries});
  if (!tickets.ok()) return rpc::ToGrpc(tickets.status(), context);
  stream.tickets = *std::move(tickets);
  const absl::Status status = Forward(stream, *deliveries);
  if (!status.ok()) {
    deliveries->Close();
    parts_.loop->Cancel(std::move(stream.tickets));
  }
  return rpc::ToGrpc(status, context);
}

absl::Status RolloutService::Forward(Stream& stream, EngineLoop::Deliveries& deliveries) const {
  std::map<uint64_t, std::vector<int32_t>> prompts;
  for (size_t i = 0; i < stream.tickets.size(); ++i) {
    const auto& ids = stream.request->prompts(static_cast<int>(i)).token_ids();
    prompts[stream.tickets[i]].assign(ids.begin(), ids.end());
  }
  AnswerStream answers(identity_.tokenizer.get());
  absl::Status first_error;
  for (int sent = 0; sent < stream.samples;) {
    if (stream.context->IsCancelled()) return absl::CancelledError("the client went away");
    const auto delivery = deliveries.Pop(kCancelCheck);
    if (!delivery.has_value()) continue;
    std::optional<v1::TokenDelta> delta;
    const Completion* const completion = delivery->completion.get();
    if (completion == nullptr) {
      delta = answers.Write(delivery->delta);
    } else if (stream.request->stream()) {
      delta = answers.Rest(*completion);
    }
    v1::GenerateResponse response;
    if (delta.has_value()) {
      *response.mutable_delta() = *std::move(delta);
      if (!stream.writer->Write(response)) return absl::CancelledError("the client went away");
    }
    if (completion == nullptr) continue;
    ++sent;
    // Aborted by a swap is what the request asked for; anything else the client must hear of.
    if (first_error.ok() && !absl::IsAborted(completion->error)) first_error = completion->error;
    *response.mutable_trajectory() = WriteTrajectory(prompts[completion->ticket], *completion);
    if (!stream.writer->Write(response)) return absl::CancelledError("the client went away");
  }
  return first_error;
}

grpc::Status RolloutService::LoadWeights(grpc::ServerContext* context,
                                         const v1::LoadWeightsRequest* request,
                                         v1::LoadWeightsResponse* response) {
  if (!loading_mutex_.TryLock()) {
    return rpc::ToGrpc(absl::UnavailableError("other weights are being loaded; try again"),
                       context);
  }
  const WeightsManifest manifest = ReadManifest(request->manifest());
  const absl::Status status = Load(manifest, TimeLeft(*context), response);
  loading_mutex_.Unlock();
  if (!status.ok()) {
    Log().error("policy version {} was not loaded, version {} keeps serving: {}",
                manifest.version, parts_.loop->state().version, status.ToString());
  }
  return rpc::ToGrpc(status, context);
}

absl::Status RolloutService::Load(const WeightsManifest& manifest, absl::Duration timeout,
                                  v1::LoadWeightsResponse* response) {
  response->set_version(manifest.version);
  const ServingState serving = parts_.loop->state();
  if (manifest.version == serving.version && manifest.digest == serving.digest) {
    return absl::OkStatus();
  }
  const bool first_of_its_version = manifest.version == serving.version && serving.digest.empty();
  if (manifest.version <= serving.version && !first_of_its_version) {
    return absl::FailedPreconditionError(absl::StrCat("policy version ", manifest.version,
                                                      " is not newer than version ",
                                                      serving.version, ", which serves"));
  }
  TY_RETURN_IF_ERROR(CheckTokenizer(manifest.tokenizer_hash));
  const absl::Duration begin = parts_.clock->Monotonic();
  TY_ASSIGN_OR_RETURN(
      StagedWeights staged,
      parts_.inbox->Stage(manifest, *parts_.fetcher, parts_.clock->Now() + timeout));
  const absl::Duration staged_at = parts_.clock->Monotonic();
  TY_RETURN_IF_ERROR(
      parts_.loop->Swap(std::move(staged.model), timeout - (staged_at - begin)));
  const absl::Duration swap = parts_.clock->Monotonic() - staged_at;
  response->set_fetch_seconds(absl::ToDoubleSeconds(staged.fetch_time));
  response->set_verify_seconds(absl::ToDoubleSeconds(staged.verify_time));
  response->set_swap_seconds(absl::ToDoubleSeconds(staged.pack_time + swap));
  response->set_unchanged_tensors(staged.unchanged_tensors);
  Log().info("policy version {} serves: fetch {:.3f} s, verify {:.3f} s, pack {:.3f} s, swap "
             "{:.3f} s",
             manifest.version, response->fetch_seconds(), response->verify_seconds(),
             absl::ToDoubleSeconds(staged.pack_time), absl::ToDoubleSeconds(swap));
  return absl::OkStatus();
}

grpc::Status RolloutService::GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*,
                                        v1::GetVersionResponse* response) {
  const ServingState state = parts_.loop->state();
  response->set_version(state.version);
  response->set_digest(state.digest);
  response->set_tokenizer_hash(identity_.tokenizer_hash);
  response->set_numerics_id(identity_.numerics_id);
  response->set_config_json(identity_.config_json);
  return grpc::Status::OK;
}

grpc::Status RolloutService::Score(grpc::ServerContext* context,
                                   const v1::ScoreTokensRequest* request,
                                   v1::ScoreTokensResponse* response) {
  auto results = parts_.loop->Score(
      {ReadScore(*request), request->policy_version(), TimeLeft(*context)});
  if (!results.ok()) return rpc::ToGrpc(results.status(), context);
  for (const ScoreResult& result : *results) {
    response->add_scores()->mutable_logprobs()->Add(result.logprobs.begin(),
                                                    result.logprobs.end());
  }
  return grpc::Status::OK;
}

grpc::Status RolloutService::GetLoad(grpc::ServerContext*, const v1::GetLoadRequest*,
                                     v1::GetLoadResponse* response) {
  const ServingState state = parts_.loop->state();
  response->set_queued_sequences(state.load.waiting);
  response->set_running_sequences(state.load.running);
  response->set_free_blocks(state.load.free_blocks);
  response->set_total_blocks(state.load.total_blocks);
  response->set_policy_version(state.version);
  response->set_tokens_per_second(state.tokens_per_second);
  response->set_draining(state.draining);
  return grpc::Status::OK;
}

grpc::Status RolloutService::Drain(grpc::ServerContext* context, const v1::DrainRequest* request,
                                   v1::DrainResponse* response) {
  const double seconds = std::clamp(request->deadline_seconds(), 0.0, 3600.0);
  auto aborted =
      parts_.loop->Drain(std::min(absl::Seconds(seconds), TimeLeft(*context)));
  if (!aborted.ok()) return rpc::ToGrpc(aborted.status(), context);
  response->set_aborted_sequences(*aborted);
  return grpc::Status::OK;
}

}  // namespace trainyard::rollout
