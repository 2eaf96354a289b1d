#include "ppo/run_state.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"

namespace trainyard::ppo {
namespace {

constexpr char kControllerSection[] = "controller";
constexpr char kLedgerSection[] = "ledger";

absl::StatusOr<RunState> Read(const checkpoint::Manifest& manifest) {
  TY_ASSIGN_OR_RETURN(const Json* section, checkpoint::FindSection(manifest, kControllerSection));
  TY_ASSIGN_OR_RETURN(const Json* ledger, checkpoint::FindSection(manifest, kLedgerSection));
  const JsonReader reader(*section, "manifest section \"controller\"");
  RunState state;
  TY_ASSIGN_OR_RETURN(state.iteration, reader.Int("iteration"));
  TY_ASSIGN_OR_RETURN(state.version, reader.Int("version"));
  TY_ASSIGN_OR_RETURN(state.beta, reader.Double("beta"));
  TY_ASSIGN_OR_RETURN(const std::string seed, reader.String("seed"));
  TY_ASSIGN_OR_RETURN(state.data_fingerprint, reader.String("data_fingerprint"));
  TY_ASSIGN_OR_RETURN(state.tokenizer_hash, reader.String("tokenizer_hash"));
  TY_ASSIGN_OR_RETURN(state.reward_spec_hash, reader.String("reward_spec_hash"));
  TY_ASSIGN_OR_RETURN(const int64_t next_row, reader.Int("next_row"));
  TY_ASSIGN_OR_RETURN(const Json* numerics, reader.Object("numerics"));
  for (const auto& [role, id] : numerics->items()) {
    if (!id.is_string()) return absl::DataLossError("manifest: a numerics id is no text");
    state.numerics[role] = id.get<std::string>();
  }
  if (!absl::SimpleAtoi(seed, &state.seed)) {
    return absl::DataLossError(absl::StrCat("manifest: seed is \"", seed, "\""));
  }
  TY_ASSIGN_OR_RETURN(state.ledger, rl::LedgerRows::FromJson(*ledger));
  if (state.ledger.next_iteration() != state.iteration || state.ledger.next_row() != next_row ||
      manifest.step != state.iteration) {
    return absl::DataLossError(absl::StrCat(
        "manifest: the ledger ends with iteration ", state.ledger.next_iteration(), " and row ",
        state.ledger.next_row(), ", the controller says ", state.iteration, " and ", next_row));
  }
  return state;
}

}  // namespace

void WriteSections(const RunState& state, checkpoint::Manifest& manifest) {
  manifest.sections[kControllerSection] = {{"iteration", state.iteration},
                                           {"version", state.version},
                                           {"beta", state.beta},
                                           {"seed", absl::StrCat(state.seed)},
                                           {"data_fingerprint", state.data_fingerprint},
                                           {"tokenizer_hash", state.tokenizer_hash},
                                           {"reward_spec_hash", state.reward_spec_hash},
                                           {"next_row", state.ledger.next_row()},
                                           {"numerics", Json(state.numerics)}};
  manifest.sections[kLedgerSection] = state.ledger.ToJson();
}

absl::StatusOr<RunState> ReadSections(const checkpoint::Manifest& manifest) {
  absl::StatusOr<RunState> state = Read(manifest);
  if (!state.ok()) return absl::DataLossError(state.status().message());
  return state;
}

absl::Status CheckSameRun(const RunState& restored, const RunState& now) {
  const std::pair<const char*, std::pair<std::string, std::string>> fields[] = {
      {"seed", {absl::StrCat(restored.seed), absl::StrCat(now.seed)}},
      {"prompt data", {restored.data_fingerprint, now.data_fingerprint}},
      {"tokenizer", {restored.tokenizer_hash, now.tokenizer_hash}},
      {"reward", {restored.reward_spec_hash, now.reward_spec_hash}}};
  for (const auto& [what, values] : fields) {
    if (values.first == values.second) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the run was begun with ", what, " ", values.first, " and is resumed with ",
                     values.second, ": submit a new job, or bring the old ", what, " back"));
  }
  return absl::OkStatus();
}

}  // namespace trainyard::ppo
