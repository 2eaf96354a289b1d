#include "rollout/request_checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::rollout {
namespace {

absl::Status CheckTokens(absl::Span<const int32_t> ids, int64_t vocabulary) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocabulary) {
      return absl::InvalidArgumentError(absl::StrCat("token_ids[", i, "] is ", ids[i],
                                                     ": the model has ids 0..", vocabulary - 1));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSamples(const GenerateRequest& request, int max_running) {
  const SamplingParameters& sampling = request.sampling;
  if (request.n < 1 || request.n > max_running) {
    return absl::InvalidArgumentError(
        absl::StrCat("n is ", request.n, ": must be in 1..", max_running));
  }
  if (sampling.best_of > 0 && (sampling.best_of < request.n || sampling.best_of > max_running)) {
    return absl::InvalidArgumentError(absl::StrCat("sampling.best_of is ", sampling.best_of,
                                                   ": must be in n (", request.n, ")..",
                                                   max_running));
  }
  const int width = sampling.beam.width;
  if (width > 0 && (width < request.n || width > max_running)) {
    return absl::InvalidArgumentError(absl::StrCat("sampling.beam.width is ", width,
                                                   ": must be in n (", request.n, ")..",
                                                   max_running));
  }
  if (request.stream && (width > 0 || sampling.best_of > request.n)) {
    return absl::InvalidArgumentError(
        absl::StrCat("stream is set beside sampling.", width > 0 ? "beam" : "best_of",
                     ": which tokens are given is known at the end only; leave one of both out"));
  }
  return absl::OkStatus();
}

// Beams may come to share no block, and a beam search is in the cache as a whole or not at all.
int BlocksNeeded(const GenerateRequest& request, const model::ModelConfig& config) {
  const int prompt = static_cast<int>(request.prompt_ids.size());
  const int longest = prompt + MostNewTokens(request, config);
  const int width = request.sampling.beam.width;
  if (width > 0) return width * (BlocksFor(longest) + 1);
  return std::max(BlocksFor(longest) + 1,
                  BlocksFor(prompt) + Drawn(request.sampling, request.n));
}

}  // namespace

int MostNewTokens(const GenerateRequest& request, const model::ModelConfig& config) {
  const int64_t left = config.max_positions - static_cast<int64_t>(request.prompt_ids.size());
  return static_cast<int>(std::min<int64_t>(left, request.sampling.max_new_tokens));
}

absl::Status CheckGenerate(const GenerateRequest& request, const EngineLimits& limits) {
  const int64_t context = limits.config.max_positions;
  TY_RETURN_IF_ERROR(
      ValidateSampling(request.sampling, static_cast<int>(limits.config.vocab_size)));
  if (!request.sampling.stop_strings.empty() && !limits.has_text) {
    return absl::InvalidArgumentError(
        "sampling.stop_strings need a tokenizer, and this server has none; use end_ids");
  }
  if (request.prompt_ids.empty()) return absl::InvalidArgumentError("the prompt has no tokens");
  if (static_cast<int64_t>(request.prompt_ids.size()) >= context) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has ", request.prompt_ids.size(),
                                                   " tokens, the model's context is ", context,
                                                   ": shorten the prompt"));
  }
  TY_RETURN_IF_ERROR(CheckSamples(request, limits.max_running_sequences));
  const int needed = BlocksNeeded(request, limits.config);
  if (needed > limits.total_blocks) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the request needs ", needed, " cache blocks of ", kBlockTokens, " tokens, there are ",
        limits.total_blocks, ": fewer samples or beams, fewer tokens or a larger cache"));
  }
  return CheckTokens(request.prompt_ids, limits.config.vocab_size);
}

absl::Status CheckScore(const ScoreRequest& request, const EngineLimits& limits) {
  const int64_t context = limits.config.max_positions;
  TY_RETURN_IF_ERROR(
      ValidateSampling(request.sampling, static_cast<int>(limits.config.vocab_size)));
  const int64_t size = static_cast<int64_t>(request.token_ids.size());
  // The last token is scored and never read by the model.
  if (size - 1 > context || BlocksFor(static_cast<int>(size)) + 1 > limits.total_blocks) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the sequence has ", size, " tokens: the model's context is ", context,
        " (the last token needs none of it) and the cache holds ",
        limits.total_blocks * kBlockTokens));
  }
  if (request.begin < 1 || request.begin >= size) {
    return absl::InvalidArgumentError(
        absl::StrCat("begin is ", request.begin, ": must be in 1..", size - 1));
  }
  return CheckTokens(request.token_ids, limits.config.vocab_size);
}

}  // namespace trainyard::rollout
