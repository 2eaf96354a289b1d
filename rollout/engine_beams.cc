// The engine's part in beam search: beams are sequences side by side, which wait for one another.

#include <utility>

#include "base/status.h"
#include "rollout/engine.h"

namespace trainyard::rollout {

std::vector<Sequence*> Engine::BeamsOf(const Sequence& beam) const {
  std::vector<Sequence*> beams;
  for (const auto& sequence : sequences_) {
    if (sequence->search == beam.search && !sequence->finished) beams.push_back(sequence.get());
  }
  return beams;
}

void Engine::AdvanceBeams(Sequence& beam) {
  const std::shared_ptr<BeamSearch> search = beam.search;
  const std::vector<Sequence*> beams = BeamsOf(beam);
  std::vector<std::vector<TokenLogprob>> ranked;
  for (Sequence* each : beams) {
    if (each->ranked.empty()) return;
  }
  for (Sequence* each : beams) ranked.push_back(std::move(each->ranked));
  const auto children = search->Advance(ranked, beam.model->version, EndRule(beam));
  if (children.empty()) {
    GiveBeams(beam, absl::OkStatus());
    return;
  }
  result_.new_tokens += static_cast<int>(children.size());
  auto place = sequences_.begin();
  while (place->get() != beams[0]) ++place;
  for (const BeamSearch::Child& child : children) {
    auto next = std::make_unique<Sequence>(*beams[child.parent]);
    next->width = 1;
    next->tokens.push_back(child.token);
    next->blocks = Fork(pool_, beams[child.parent]->blocks);
    sequences_.insert(place, std::move(next));
  }
  for (Sequence* parent : beams) {
    parent->finished = true;
    ReleaseAll(pool_, parent->blocks);
  }
}

void Engine::GiveBeams(Sequence& beam, const absl::Status& error) {
  const GenerateRequest& request = *beam.request;
  for (Sequence* each : BeamsOf(beam)) {
    each->finished = true;
    ReleaseAll(pool_, each->blocks);
  }
  std::vector<Completion> best = error.ok() ? beam.search->Best(request.n)
                                            : beam.search->Partial(request.n, error);
  for (Completion& result : best) {
    result.sample += request.first_sample;
    Give(request, std::move(result));
  }
}

int Engine::FreedBlocks(const Sequence& sequence, bool joined) const {
  if (joined) return 0;  // counted with the first of its group
  if (sequence.search == nullptr) return ExclusiveBlocks(pool_, {&sequence.blocks});
  std::vector<const BlockTable*> tables;
  for (const Sequence* beam : BeamsOf(sequence)) tables.push_back(&beam->blocks);
  return ExclusiveBlocks(pool_, tables);
}

}  // namespace trainyard::rollout
