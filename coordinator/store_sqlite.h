// The store on SQLite: WAL, synchronous=FULL, one writer thread that commits in groups.

#ifndef TRAINYARD_COORDINATOR_STORE_SQLITE_H_
#define TRAINYARD_COORDINATOR_STORE_SQLITE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/store.h"

namespace trainyard::coordinator {

struct SqliteStoreOptions {
  // Directory of its own on a local disk. Created when missing (mode 0700).
  std::string state_dir;
  // Told by the writer thread. Required.
  DurableListener on_durable;
  // Set aside at the start and given up when the disk is full, so that exits can still be recorded.
  int64_t reserve_bytes = 16 << 20;
  // Largest size of the database; 0 = the disk's.
  int64_t max_size_bytes = 0;
  // Batches that may wait for the writer.
  int queue_capacity = 65536;
};

// Takes the directory's lock, opens or creates the database and begins a new term, durably.
// FailedPrecondition: another coordinator holds the directory (names it), the directory is on NFS,
// Lustre or another network file system, or the database was written by a newer version.
// Without room for the reserve it opens read-only (read_only_reason). Destroying the store writes
// what is queued first.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteStoreOptions options);

// Is `type`, a file system's number in statfs(2), that of a network file system?
bool IsNetworkFilesystem(int64_t type);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STORE_SQLITE_H_
