// Scores of items that were scored before.

#ifndef TRAINYARD_REWARD_SERVICE_SCORE_CACHE_H_
#define TRAINYARD_REWARD_SERVICE_SCORE_CACHE_H_

#include <deque>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "reward_service/reward.h"

namespace trainyard::reward_service {

// Everything of an item that its scores depend on, as XXH3-128 in hex. Row and sample do not count.
std::string ContentKey(const ScoreItem& item);

// Belongs to one reward: another spec has another cache. Keeps what is true of the content alone;
// an item that ran out of time or met a failing model is scored again. Owned by one thread.
class ScoreCache {
 public:
  explicit ScoreCache(size_t most_entries) : most_entries_(most_entries) {}

  // Null when it is not known. Valid until the next Put.
  const ScoredItem* Find(const std::string& key) const;
  // The oldest goes when there is no room.
  void Put(const std::string& key, const ScoredItem& scored);
  size_t size() const { return entries_.size(); }

 private:
  const size_t most_entries_;
  absl::flat_hash_map<std::string, ScoredItem> entries_;
  std::deque<std::string> order_;  // of arrival
};

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_SCORE_CACHE_H_
