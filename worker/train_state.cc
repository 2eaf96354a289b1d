#include "worker/train_state.h"

#include "base/status.h"

namespace trainyard::worker {

Json TrainStateSections(const TrainState& state) {
  Json progress = {{"step", state.step},
                   {"updates", state.updates},
                   {"tokens", state.tokens},
                   {"best_step", state.best_step}};
  if (state.best.has_value()) progress["best"] = *state.best;
  return Json{{"progress", std::move(progress)},
              {"cursor", Json::parse(data::CursorToJson(state.cursor))},
              {"spike_guard", state.spike_guard}};
}

absl::StatusOr<TrainState> TrainStateOf(const checkpoint::Manifest& manifest) {
  TrainState state;
  TY_ASSIGN_OR_RETURN(const Json* progress, checkpoint::FindSection(manifest, "progress"));
  const JsonReader reader(*progress, "manifest section progress");
  TY_ASSIGN_OR_RETURN(state.step, reader.Int("step"));
  TY_ASSIGN_OR_RETURN(state.updates, reader.Int("updates"));
  TY_ASSIGN_OR_RETURN(state.tokens, reader.Int("tokens"));
  TY_ASSIGN_OR_RETURN(state.best_step, reader.Int("best_step"));
  if (reader.Has("best")) {
    TY_ASSIGN_OR_RETURN(state.best, reader.Double("best"));
  }
  TY_ASSIGN_OR_RETURN(const Json* cursor, checkpoint::FindSection(manifest, "cursor"));
  TY_ASSIGN_OR_RETURN(state.cursor,
                      data::CursorFromJson(cursor->dump(), "manifest section cursor"));
  TY_ASSIGN_OR_RETURN(const Json* spike_guard, checkpoint::FindSection(manifest, "spike_guard"));
  state.spike_guard = *spike_guard;
  return state;
}

}  // namespace trainyard::worker
