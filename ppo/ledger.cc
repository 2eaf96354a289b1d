#include "ppo/ledger.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::ppo {

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::Open(rl::LedgerRows history,
                                                     const std::string& path) {
  auto ledger = std::unique_ptr<Ledger>(new Ledger(std::move(history)));
  if (path.empty()) return ledger;
  ledger->log_.reset(std::fopen(path.c_str(), "ae"));
  if (ledger->log_ == nullptr) return ErrnoStatus(errno, path);
  ledger->Append({{"event", "open"},
                  {"iteration", ledger->rows_.next_iteration()},
                  {"next_row", ledger->rows_.next_row()}});
  return ledger;
}

void Ledger::Append(const Json& line) {
  if (log_ == nullptr) return;
  // For people only: what counts is in the manifest, so a full disk here stops nothing.
  std::fputs((line.dump() + "\n").c_str(), log_.get());
  std::fflush(log_.get());
}

absl::StatusOr<int64_t> Ledger::Draw(int64_t count, int64_t samples_per_row) {
  if (drawn_rows_ != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "ledger: ", drawn_rows_, " rows from ", rows_.next_row(), " on are still in flight"));
  }
  drawn_rows_ = count;
  samples_per_row_ = samples_per_row;
  Append({{"event", "draw"},
          {"iteration", rows_.next_iteration()},
          {"first_row", rows_.next_row()},
          {"rows", count}});
  return rows_.next_row();
}

absl::Status Ledger::Consume(const std::vector<rl::Trajectory>& trajectories,
                             const std::vector<std::string>& reasons) {
  TY_CHECK(trajectories.size() == reasons.size());
  rl::LedgerIteration iteration = {.iteration = rows_.next_iteration(),
                                   .first_row = rows_.next_row(),
                                   .rows = drawn_rows_,
                                   .samples_per_row = samples_per_row_,
                                   .digest = rl::DigestTrajectories(trajectories)};
  if (static_cast<int64_t>(trajectories.size()) != drawn_rows_ * samples_per_row_) {
    return absl::InternalError(absl::StrCat("ledger: ", trajectories.size(), " samples of ",
                                            drawn_rows_, " rows with ", samples_per_row_,
                                            " each"));
  }
  Json scores = Json::array();
  for (size_t i = 0; i < trajectories.size(); ++i) {
    const rl::Trajectory& trajectory = trajectories[i];
    // Canonical order: sample i belongs to a known row.
    if (trajectory.row != iteration.first_row + static_cast<int64_t>(i) / samples_per_row_ ||
        trajectory.sample != static_cast<int64_t>(i) % samples_per_row_) {
      return absl::InternalError(absl::StrCat("ledger: row ", trajectory.row, " sample ",
                                              trajectory.sample, " is not the ", i,
                                              "th of the iteration"));
    }
    scores.push_back(trajectory.reward);
    if (reasons[i].empty()) continue;
    iteration.excluded.push_back({trajectory.row, trajectory.sample, reasons[i]});
  }
  Append({{"event", "consume"},
          {"iteration", iteration.iteration},
          {"digest", iteration.digest},
          {"scores", std::move(scores)}});
  TY_RETURN_IF_ERROR(rows_.Append(std::move(iteration)));
  drawn_rows_ = 0;
  return absl::OkStatus();
}

}  // namespace trainyard::ppo
