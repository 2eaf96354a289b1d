#include "eval/rollout_client.h"

#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"

namespace trainyard::eval {
namespace {

constexpr int kScoreRetries = 5;

v1::BeamSearch::EarlyStopping EarlyStoppingOf(const std::string& name) {
  if (name == "first") return v1::BeamSearch::FIRST;
  return name == "never" ? v1::BeamSearch::NEVER : v1::BeamSearch::HEURISTIC;
}

void WriteDecoding(const Sampling& sampling, v1::SamplingParameters* wire) {
  wire->set_min_p(sampling.min_p);
  wire->set_typical_p(sampling.typical_p);
  wire->set_repetition_penalty(sampling.repetition_penalty);
  wire->set_presence_penalty(sampling.presence_penalty);
  wire->set_frequency_penalty(sampling.frequency_penalty);
  for (const auto& [id, bias] : sampling.logit_bias) {
    v1::TokenBias* const added = wire->add_logit_bias();
    added->set_token_id(id);
    added->set_bias(bias);
  }
  wire->mutable_allowed_ids()->Add(sampling.allowed_ids.begin(), sampling.allowed_ids.end());
  wire->set_best_of(sampling.best_of);
  if (sampling.beam.width == 0) return;
  wire->mutable_beam()->set_width(sampling.beam.width);
  wire->mutable_beam()->set_length_penalty(sampling.beam.length_penalty);
  wire->mutable_beam()->set_early_stopping(EarlyStoppingOf(sampling.beam.early_stopping));
}

v1::GenerateRequest MakeRequest(const std::vector<PromptTokens>& prompts,
                                const Sampling& sampling) {
  v1::GenerateRequest request;
  for (const PromptTokens& prompt : prompts) {
    v1::GeneratePrompt* const added = request.add_prompts();
    added->set_row(prompt.row);
    added->mutable_token_ids()->Add(prompt.token_ids->begin(), prompt.token_ids->end());
    added->set_n(sampling.samples);
  }
  v1::SamplingParameters* const wire = request.mutable_sampling();
  wire->set_temperature(sampling.temperature);
  wire->set_top_k(sampling.top_k);
  wire->set_top_p(sampling.top_p);
  wire->set_max_new_tokens(sampling.max_new_tokens);
  wire->set_min_new_tokens(sampling.min_new_tokens);
  wire->mutable_forbidden_ids()->Add(sampling.forbidden_ids.begin(), sampling.forbidden_ids.end());
  wire->mutable_end_ids()->Add(sampling.end_ids.begin(), sampling.end_ids.end());
  for (const std::string& stop : sampling.stop_strings) wire->add_stop_strings(stop);
  wire->set_ignore_eos(sampling.ignore_eos);
  WriteDecoding(sampling, wire);
  request.set_seed(sampling.seed);
  request.set_policy_version(-1);
  return request;
}

// Nothing for an aborted answer, which has to be drawn again.
std::optional<Finish> FinishOf(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_END:
      return Finish::kEnd;
    case v1::FINISH_STOP:
      return Finish::kStop;
    case v1::FINISH_LENGTH:
      return Finish::kLength;
    default:
      return std::nullopt;
  }
}

std::optional<DrawnAnswer> AnswerOf(const v1::Trajectory& wire, size_t prompt_tokens) {
  const std::optional<Finish> finish = FinishOf(wire.finish());
  if (!finish.has_value() || wire.token_ids_size() < prompt_tokens) return std::nullopt;
  DrawnAnswer drawn;
  drawn.row = wire.row();
  drawn.sample = wire.sample();
  drawn.answer.finish = *finish;
  drawn.answer.token_ids.assign(wire.token_ids().begin() + prompt_tokens, wire.token_ids().end());
  drawn.answer.logprob = std::accumulate(wire.logprobs().begin(), wire.logprobs().end(), 0.0);
  return drawn;
}

}  // namespace

RolloutClient::RolloutClient(const std::string& endpoint, const rpc::JobFence& fence)
    : endpoint_(endpoint),
      fence_(fence),
      stub_(v1::RolloutService::NewStub(rpc::OpenChannel(endpoint))) {}

absl::Status RolloutClient::Generate(const std::vector<PromptTokens>& prompts,
                                     const Sampling& sampling, const CallLimits& limits,
                                     const std::function<void(DrawnAnswer)>& on_answer) {
  std::map<int64_t, size_t> tokens_of_row;
  for (const PromptTokens& prompt : prompts) tokens_of_row[prompt.row] = prompt.token_ids->size();
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = limits.timeout, .fence = fence_}, &context);
  std::optional<CancelScope::Call> call;
  if (limits.scope != nullptr) call.emplace(limits.scope, &context);
  const auto stream = stub_->Generate(&context, MakeRequest(prompts, sampling));
  size_t delivered = 0;
  v1::GenerateResponse response;
  while (stream->Read(&response)) {
    const auto row = tokens_of_row.find(response.trajectory().row());
    if (row == tokens_of_row.end()) continue;
    std::optional<DrawnAnswer> drawn = AnswerOf(response.trajectory(), row->second);
    if (!drawn.has_value()) continue;
    ++delivered;
    on_answer(*std::move(drawn));
  }
  TY_RETURN_IF_ERROR(rpc::FromGrpc(stream->Finish(), context));
  const size_t wanted = prompts.size() * sampling.samples;
  if (delivered == wanted) return absl::OkStatus();
  return PeerLostError(
      absl::StrCat(endpoint_, " ended its stream after ", delivered, " of ", wanted, " answers"));
}

absl::StatusOr<double> RolloutClient::TokensPerSecond(absl::Duration timeout) {
  TY_ASSIGN_OR_RETURN(const v1::GetLoadResponse load,
                      rpc::Call(*stub_, &v1::RolloutService::Stub::GetLoad, v1::GetLoadRequest(),
                                {.timeout = timeout, .fence = fence_}));
  return load.running_sequences() > 0 ? load.tokens_per_second() : 0;
}

absl::StatusOr<std::vector<double>> RolloutClient::Score(
    const std::vector<ScoredSequence>& sequences, const Sampling* sampling,
    absl::Duration timeout) {
  v1::ScoreTokensRequest request;
  request.set_policy_version(-1);
  request.set_temperature(1);
  if (sampling != nullptr) {
    const std::string unscored = UnscoredField(*sampling);
    if (!unscored.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("sampling.", unscored, " is set: the answers are no samples of a "
                       "distribution whose log-probs a server gives; leave it out, or the measure "
                       "that needs them (kl_to_baseline)"));
    }
    request.set_temperature(sampling->temperature);
    request.set_min_new_tokens(sampling->min_new_tokens);
    request.mutable_forbidden_ids()->Add(sampling->forbidden_ids.begin(),
                                         sampling->forbidden_ids.end());
    request.mutable_end_ids()->Add(sampling->end_ids.begin(), sampling->end_ids.end());
  }
  for (const ScoredSequence& sequence : sequences) {
    v1::TokenSequence* const added = request.add_sequences();
    added->mutable_token_ids()->Add(sequence.token_ids.begin(), sequence.token_ids.end());
    added->set_begin(sequence.begin);
  }
  TY_ASSIGN_OR_RETURN(
      const v1::ScoreTokensResponse response,
      (rpc::Call<v1::RolloutService::Stub, v1::ScoreTokensRequest, v1::ScoreTokensResponse>(
          *stub_, &v1::RolloutService::Stub::Score, request,
          {.timeout = timeout, .retries = kScoreRetries, .fence = fence_})));
  std::vector<double> sums;
  for (const v1::TokenScores& scores : response.scores()) {
    sums.push_back(std::accumulate(scores.logprobs().begin(), scores.logprobs().end(), 0.0));
  }
  if (sums.size() == sequences.size()) return sums;
  return absl::InternalError(
      absl::StrCat(endpoint_, " scored ", sums.size(), " of ", sequences.size(), " sequences"));
}

}  // namespace trainyard::eval
