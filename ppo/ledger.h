// Which prompt drew which row, and what became of it, while the run goes on.

#ifndef TRAINYARD_PPO_LEDGER_H_
#define TRAINYARD_PPO_LEDGER_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "rl/ledger_rows.h"
#include "rl/trajectory.h"

namespace trainyard::ppo {

// Owned by the controller's thread. The committed history (what the last manifest holds) is the
// truth; between commits there is memory, and an append-only file for people, without fsync. Rows
// after the last commit are discarded by a restart and drawn again with the same numbers.
class Ledger {
 public:
  // Goes on after `history`. `path`: the file of this epoch, or empty for none.
  static absl::StatusOr<std::unique_ptr<Ledger>> Open(rl::LedgerRows history,
                                                      const std::string& path);

  // The next `count` rows are drawn for the next iteration. FailedPrecondition when the rows drawn
  // before were not consumed.
  absl::StatusOr<int64_t> Draw(int64_t count, int64_t samples_per_row);

  // The drawn rows have been trained on. `reasons`: why a trajectory was excluded, or "".
  absl::Status Consume(const std::vector<rl::Trajectory>& trajectories,
                       const std::vector<std::string>& reasons);

  const rl::LedgerRows& rows() const { return rows_; }
  int64_t next_iteration() const { return rows_.next_iteration(); }

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  explicit Ledger(rl::LedgerRows history) : rows_(std::move(history)) {}
  void Append(const Json& line);

  rl::LedgerRows rows_;
  int64_t drawn_rows_ = 0;  // of the iteration in flight
  int64_t samples_per_row_ = 1;
  std::unique_ptr<std::FILE, CloseFile> log_;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_LEDGER_H_
