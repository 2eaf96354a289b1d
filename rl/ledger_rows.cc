#include "rl/ledger_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::rl {
namespace {

absl::StatusOr<ExcludedSample> ExcludedFromJson(const Json& json) {
  const JsonReader reader(json, "ledger: excluded sample");
  ExcludedSample excluded;
  TY_ASSIGN_OR_RETURN(excluded.row, reader.Int("row"));
  TY_ASSIGN_OR_RETURN(excluded.sample, reader.Int("sample"));
  TY_ASSIGN_OR_RETURN(excluded.reason, reader.String("reason"));
  return excluded;
}

absl::StatusOr<LedgerIteration> IterationFromJson(const Json& json) {
  const JsonReader reader(json, "ledger: iteration");
  LedgerIteration iteration;
  TY_ASSIGN_OR_RETURN(iteration.iteration, reader.Int("iteration"));
  TY_ASSIGN_OR_RETURN(iteration.first_row, reader.Int("first_row"));
  TY_ASSIGN_OR_RETURN(iteration.rows, reader.Int("rows"));
  TY_ASSIGN_OR_RETURN(iteration.samples_per_row, reader.Int("samples_per_row"));
  TY_ASSIGN_OR_RETURN(iteration.digest, reader.String("digest"));
  TY_ASSIGN_OR_RETURN(const Json* excluded, reader.Array("excluded"));
  for (const Json& entry : *excluded) {
    TY_ASSIGN_OR_RETURN(ExcludedSample sample, ExcludedFromJson(entry));
    iteration.excluded.push_back(std::move(sample));
  }
  return iteration;
}

absl::StatusOr<LedgerRows> Read(const Json& json) {
  const JsonReader reader(json, "ledger");
  TY_ASSIGN_OR_RETURN(const Json* iterations, reader.Array("iterations"));
  LedgerRows rows;
  for (const Json& entry : *iterations) {
    TY_ASSIGN_OR_RETURN(LedgerIteration iteration, IterationFromJson(entry));
    TY_RETURN_IF_ERROR(rows.Append(std::move(iteration)));
  }
  return rows;
}

}  // namespace

absl::Status LedgerRows::Append(LedgerIteration iteration) {
  if (iteration.iteration != next_iteration() || iteration.first_row != next_row() ||
      iteration.rows < 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "ledger: iteration ", iteration.iteration, " with rows [", iteration.first_row, ", ",
        iteration.first_row + iteration.rows, ") does not follow iteration ",
        next_iteration() - 1, " that ended before row ", next_row()));
  }
  iterations_.push_back(std::move(iteration));
  return absl::OkStatus();
}

int64_t LedgerRows::next_row() const {
  if (iterations_.empty()) return 0;
  return iterations_.back().first_row + iterations_.back().rows;
}

int64_t LedgerRows::CountExcluded(const std::string& reason) const {
  int64_t count = 0;
  for (const LedgerIteration& iteration : iterations_) {
    for (const ExcludedSample& sample : iteration.excluded) count += sample.reason == reason;
  }
  return count;
}

Json LedgerRows::ToJson() const {
  Json iterations = Json::array();
  for (const LedgerIteration& iteration : iterations_) {
    Json excluded = Json::array();
    for (const ExcludedSample& sample : iteration.excluded) {
      excluded.push_back(
          {{"row", sample.row}, {"sample", sample.sample}, {"reason", sample.reason}});
    }
    iterations.push_back({{"iteration", iteration.iteration},
                          {"first_row", iteration.first_row},
                          {"rows", iteration.rows},
                          {"samples_per_row", iteration.samples_per_row},
                          {"digest", iteration.digest},
                          {"excluded", std::move(excluded)}});
  }
  return {{"iterations", std::move(iterations)}};
}

absl::StatusOr<LedgerRows> LedgerRows::FromJson(const Json& json) {
  absl::StatusOr<LedgerRows> rows = Read(json);
  if (!rows.ok()) return absl::DataLossError(rows.status().message());
  return rows;
}

}  // namespace trainyard::rl
