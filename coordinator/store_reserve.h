// Space set aside while there is some, given up when there is none: what is in hand can then still
// be recorded, but no new work should be taken.

#ifndef TRAINYARD_COORDINATOR_STORE_RESERVE_H_
#define TRAINYARD_COORDINATOR_STORE_RESERVE_H_

#include <cstdint>
#include <string>

#include "coordinator/store_database.h"

namespace trainyard::coordinator {

struct ReserveOptions {
  std::string path;  // of the file that holds the space
  int64_t size_bytes = 0;
  int64_t max_database_bytes = 0;  // limit of the database, reserve included; 0 = none
};

// Owned by the writer's thread.
class DiskReserve {
 public:
  // `database` must outlive it.
  DiskReserve(ReserveOptions options, Database* database);

  // Sets the space aside, if it is not and there is room. Cheap when there is nothing to do.
  void Fill();

  // Gives the space to the database. False when it was given already.
  bool Release();

  // Empty while the space is set aside, else why it is not.
  const std::string& missing_reason() const { return missing_reason_; }

 private:
  bool DatabaseHasRoom();
  void LimitDatabase(int64_t bytes);

  const ReserveOptions options_;
  Database& database_;
  std::string missing_reason_ = "the reserve is not filled yet";
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STORE_RESERVE_H_
