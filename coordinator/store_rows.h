// The tables of the SQLite store: making them, writing a batch, reading everything back.

#ifndef TRAINYARD_COORDINATOR_STORE_ROWS_H_
#define TRAINYARD_COORDINATOR_STORE_ROWS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/core/records.h"
#include "coordinator/store_database.h"

namespace trainyard::coordinator {

// Makes what is missing. FailedPrecondition when a newer version wrote the database.
absl::Status CreateTables(Database& database);

// Begins a new term and returns it: one more than any before.
absl::StatusOr<uint64_t> BeginTerm(Database& database);

// Writes the batch inside the caller's transaction. FailedPrecondition when the database's term is
// not the batch's, or its revision is not the one before the batch's.
absl::Status WriteBatch(Database& database, const Batch& batch);

// All that a core starts from.
absl::StatusOr<Snapshot> LoadSnapshot(Database& database);

// One job of its text and the row that never changes. DataLoss names the job.
absl::StatusOr<JobRecord> AssembleJob(const std::string& body, const std::string& shape,
                                      std::string spec);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STORE_ROWS_H_
