#include "rollout/beam_search.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trainyard::rollout {

BeamSearch::BeamSearch(const BeamOptions& options) : options_(options), beams_(1) {}

int BeamSearch::Candidates(const SamplingParameters& sampling) {
  const int ends = sampling.ignore_eos ? 0 : static_cast<int>(sampling.end_ids.size());
  return std::max(2, 1 + ends) * sampling.beam.width;
}

std::vector<BeamSearch::Candidate> BeamSearch::Merge(
    absl::Span<const std::vector<TokenLogprob>> ranked, int count) const {
  std::vector<Candidate> all;
  for (size_t beam = 0; beam < ranked.size(); ++beam) {
    for (const TokenLogprob& token : ranked[beam]) {
      all.push_back({static_cast<int>(beam), token, beams_[beam].score + token.logprob});
    }
  }
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.beam != b.beam ? a.beam < b.beam : a.token.id < b.token.id;
  });
  if (all.size() > static_cast<size_t>(count)) all.resize(count);
  return all;
}

BeamSearch::Beam BeamSearch::Extend(const Candidate& candidate, int64_t version) const {
  Beam beam = beams_[candidate.beam];
  beam.score = candidate.score;
  AppendToken(&beam.result, {candidate.token.id, candidate.token.logprob, 0, {}}, version);
  return beam;
}

float BeamSearch::Ranked(float score, int tokens) const {
  return score / static_cast<float>(std::pow(tokens, options_.length_penalty));
}

std::vector<BeamSearch::Child> BeamSearch::Advance(
    absl::Span<const std::vector<TokenLogprob>> ranked, int64_t version, const AnswerEnd& end) {
  const size_t width = options_.width;
  const int tokens = static_cast<int>(beams_[0].result.token_ids.size()) + 1;
  std::vector<Beam> next;
  std::vector<Child> children;
  const std::vector<Candidate> best = Merge(ranked, Candidates(end.sampling));
  for (size_t i = 0; i < best.size() && next.size() < width; ++i) {
    Beam beam = Extend(best[i], version);
    const std::optional<FinishReason> reason =
        EndOf(end, best[i].token.id, tokens, &beam.text_tail);
    if (!reason.has_value()) {
      next.push_back(std::move(beam));
      children.push_back({best[i].beam, best[i].token.id});
    } else if (i < width) {
      beam.result.finish = *reason;
      beam.score = Ranked(beam.score, tokens);
      hypotheses_.push_back(std::move(beam));
    }
  }
  std::stable_sort(hypotheses_.begin(), hypotheses_.end(),
                   [](const Beam& a, const Beam& b) { return a.score > b.score; });
  if (hypotheses_.size() > width) hypotheses_.resize(width);
  beams_ = std::move(next);
  if (Done(tokens, end.most_tokens)) children.clear();
  return children;
}

bool BeamSearch::Done(int tokens, int most_tokens) const {
  if (beams_.empty()) return true;
  if (hypotheses_.size() < static_cast<size_t>(options_.width)) return false;
  if (options_.early_stopping == EarlyStopping::kFirst) return true;
  const bool longest =
      options_.early_stopping == EarlyStopping::kNever && options_.length_penalty > 0;
  return !(Ranked(beams_[0].score, longest ? most_tokens : tokens) > hypotheses_.back().score);
}

std::vector<Completion> BeamSearch::Best(int n) const {
  std::vector<Completion> best;
  for (int i = 0; i < n; ++i) {
    Completion& result = best.emplace_back();
    if (i < static_cast<int>(hypotheses_.size())) {
      result = hypotheses_[i].result;
    } else {
      result.error = absl::NotFoundError(absl::StrCat(
          "the beam search has ", hypotheses_.size(), " hypotheses, ", n,
          " were asked for: the masks leave no more; ask for fewer or allow more tokens"));
    }
    result.sample = i;
  }
  return best;
}

std::vector<Completion> BeamSearch::Partial(int n, const absl::Status& error) const {
  std::vector<Completion> best;
  for (const std::vector<Beam>* beams : {&hypotheses_, &beams_}) {
    for (const Beam& beam : *beams) best.push_back(beam.result);
  }
  best.resize(n);
  for (int i = 0; i < n; ++i) {
    best[i].sample = i;
    best[i].finish = FinishReason::kAborted;
    best[i].error = error;
  }
  return best;
}

}  // namespace trainyard::rollout
