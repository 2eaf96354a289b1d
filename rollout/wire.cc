#include "rollout/wire.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::rollout {
namespace {

absl::StatusOr<OnSwap> ReadOnSwap(v1::GenerateRequest::OnSwap on_swap) {
  switch (on_swap) {
    case v1::GenerateRequest::ON_SWAP_UNSPECIFIED:
    case v1::GenerateRequest::FINISH_OLD:
      return OnSwap::kFinishOld;
    case v1::GenerateRequest::CONTINUE_NEW:
      return OnSwap::kContinueNew;
    case v1::GenerateRequest::ABORT_PARTIAL:
      return OnSwap::kAbortPartial;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("on_swap ", static_cast<int>(on_swap), " is not known here"));
  }
}

absl::StatusOr<BeamOptions> ReadBeam(const v1::BeamSearch& wire) {
  BeamOptions beam;
  beam.width = wire.width();
  beam.length_penalty = wire.length_penalty();
  switch (wire.early_stopping()) {
    case v1::BeamSearch::EARLY_STOPPING_UNSPECIFIED:
    case v1::BeamSearch::HEURISTIC:
      beam.early_stopping = EarlyStopping::kHeuristic;
      break;
    case v1::BeamSearch::FIRST:
      beam.early_stopping = EarlyStopping::kFirst;
      break;
    case v1::BeamSearch::NEVER:
      beam.early_stopping = EarlyStopping::kNever;
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("sampling.beam.early_stopping ", static_cast<int>(wire.early_stopping()),
                       " is not known here: give HEURISTIC, FIRST or NEVER"));
  }
  if (beam.width > 0) return beam;
  return absl::InvalidArgumentError(absl::StrCat(
      "sampling.beam.width is ", wire.width(), ": must be in 2..", kMaxBeams));
}

double Or(double given, double otherwise) { return given == 0 ? otherwise : given; }

absl::StatusOr<SamplingParameters> ReadSampling(const v1::SamplingParameters& wire,
                                                const WireDefaults& defaults) {
  SamplingParameters sampling;
  sampling.temperature = wire.temperature();
  sampling.top_k = wire.top_k();
  sampling.top_p = Or(wire.top_p(), 1);
  sampling.min_p = wire.min_p();
  sampling.typical_p = Or(wire.typical_p(), 1);
  sampling.repetition_penalty = Or(wire.repetition_penalty(), 1);
  sampling.presence_penalty = wire.presence_penalty();
  sampling.frequency_penalty = wire.frequency_penalty();
  for (const v1::TokenBias& token : wire.logit_bias()) {
    sampling.logit_bias.push_back({token.token_id(), token.bias()});
  }
  sampling.allowed_ids.assign(wire.allowed_ids().begin(), wire.allowed_ids().end());
  sampling.best_of = wire.best_of();
  if (wire.has_beam()) {
    TY_ASSIGN_OR_RETURN(sampling.beam, ReadBeam(wire.beam()));
  }
  sampling.max_new_tokens = wire.max_new_tokens();
  sampling.min_new_tokens = wire.min_new_tokens();
  sampling.forbidden_ids.assign(wire.forbidden_ids().begin(), wire.forbidden_ids().end());
  sampling.end_ids.assign(wire.end_ids().begin(), wire.end_ids().end());
  if (sampling.end_ids.empty()) sampling.end_ids = defaults.end_ids;
  sampling.stop_strings.assign(wire.stop_strings().begin(), wire.stop_strings().end());
  sampling.ignore_eos = wire.ignore_eos();
  sampling.top_logprobs = wire.top_logprobs();
  return sampling;
}

v1::FinishReason WriteFinish(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEnd:
      return v1::FINISH_END;
    case FinishReason::kStop:
      return v1::FINISH_STOP;
    case FinishReason::kLength:
      return v1::FINISH_LENGTH;
    case FinishReason::kAborted:
      return v1::FINISH_ABORTED;
  }
  return v1::FINISH_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<std::vector<GenerateRequest>> ReadGenerate(const v1::GenerateRequest& wire,
                                                          const WireDefaults& defaults) {
  if (wire.prompts_size() == 0) return absl::InvalidArgumentError("prompts is empty");
  TY_ASSIGN_OR_RETURN(const OnSwap on_swap, ReadOnSwap(wire.on_swap()));
  TY_ASSIGN_OR_RETURN(const SamplingParameters sampling,
                      ReadSampling(wire.sampling(), defaults));
  std::vector<GenerateRequest> requests;
  for (const v1::GeneratePrompt& prompt : wire.prompts()) {
    GenerateRequest request;
    request.row = prompt.row();
    request.prompt_ids.assign(prompt.token_ids().begin(), prompt.token_ids().end());
    request.n = prompt.n() == 0 ? 1 : prompt.n();
    request.first_sample = prompt.first_sample();
    request.sampling = sampling;
    request.seed = wire.seed();
    request.on_swap = on_swap;
    request.stream = wire.stream();
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<ScoreRequest> ReadScore(const v1::ScoreTokensRequest& wire) {
  SamplingParameters sampling;
  sampling.temperature = wire.temperature() == 0 ? 1 : wire.temperature();
  sampling.min_new_tokens = wire.min_new_tokens();
  sampling.forbidden_ids.assign(wire.forbidden_ids().begin(), wire.forbidden_ids().end());
  sampling.end_ids.assign(wire.end_ids().begin(), wire.end_ids().end());
  std::vector<ScoreRequest> requests;
  for (const v1::TokenSequence& sequence : wire.sequences()) {
    ScoreRequest request;
    request.token_ids.assign(sequence.token_ids().begin(), sequence.token_ids().end());
    request.begin = sequence.begin();
    request.sampling = sampling;
    requests.push_back(std::move(request));
  }
  return requests;
}

WeightsManifest ReadManifest(const v1::WeightsManifest& wire) {
  WeightsManifest manifest;
  manifest.version = wire.version();
  manifest.full = wire.form() == v1::WeightsManifest::FULL ||
                  wire.form() == v1::WeightsManifest::FORM_UNSPECIFIED;
  manifest.sources.assign(wire.sources().begin(), wire.sources().end());
  manifest.config_json = wire.config_json();
  manifest.tokenizer_hash = wire.tokenizer_hash();
  manifest.digest = wire.digest();
  for (const v1::WeightsTensor& tensor : wire.tensors()) {
    PublishedTensor published;
    published.name = tensor.name();
    published.dtype = tensor.dtype();
    published.shape.assign(tensor.shape().begin(), tensor.shape().end());
    published.xxh3 = tensor.xxh3();
    for (const v1::WeightsPiece& piece : tensor.pieces()) {
      published.pieces.push_back({piece.offset(), piece.length(), piece.source_rank()});
    }
    manifest.tensors.push_back(std::move(published));
  }
  return manifest;
}

v1::Trajectory WriteTrajectory(const std::vector<int32_t>& prompt_ids,
                               const Completion& completion) {
  v1::Trajectory wire;
  wire.set_row(completion.row);
  wire.set_sample(completion.sample);
  const int prompt = static_cast<int>(prompt_ids.size());
  wire.mutable_token_ids()->Add(prompt_ids.begin(), prompt_ids.end());
  wire.mutable_token_ids()->Add(completion.token_ids.begin(), completion.token_ids.end());
  v1::Span* first = wire.add_spans();
  first->set_end(prompt);
  first->set_source(v1::Span::PROMPT);
  for (const VersionSpan& span : completion.spans) {
    v1::Span* chosen = wire.add_spans();
    chosen->set_begin(prompt + span.begin);
    chosen->set_end(prompt + span.end);
    chosen->set_source(v1::Span::MODEL);
    chosen->set_train(completion.finish != FinishReason::kAborted);
    chosen->set_policy_version(span.version);
  }
  wire.mutable_logprobs()->Add(completion.logprobs.begin(), completion.logprobs.end());
  wire.mutable_log_kept_mass()->Add(completion.log_kept_mass.begin(),
                                    completion.log_kept_mass.end());
  wire.set_finish(WriteFinish(completion.finish));
  for (const std::vector<TokenLogprob>& position : completion.top) {
    v1::TopLogprobs* top = wire.add_top_logprobs();
    for (const TokenLogprob& token : position) {
      top->add_token_ids(token.id);
      top->add_logprobs(token.logprob);
    }
  }
  return wire;
}

}  // namespace trainyard::rollout
