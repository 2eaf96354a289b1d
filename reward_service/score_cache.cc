#include "reward_service/score_cache.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"

namespace trainyard::reward_service {
namespace {

bool DependsOnContentAlone(const ComponentScore& score) {
  return score.status != ScoreStatus::kTimeout && score.status != ScoreStatus::kModelError;
}

}  // namespace

std::string ContentKey(const ScoreItem& item) {
  Xxh3 hash;
  // The sizes first: no two contents may read the same.
  hash.Update(absl::StrCat(item.answer_begin, " ", item.token_ids.size(), " ", item.prompt.size(),
                           " ", item.answer.size(), "\n"));
  hash.Update({reinterpret_cast<const char*>(item.token_ids.data()),
               item.token_ids.size() * sizeof(int32_t)});
  for (const std::string* text : {&item.prompt, &item.answer, &item.reference}) hash.Update(*text);
  return hash.Hex();
}

const ScoredItem* ScoreCache::Find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

void ScoreCache::Put(const std::string& key, const ScoredItem& scored) {
  if (most_entries_ == 0 ||
      !std::all_of(scored.components.begin(), scored.components.end(), DependsOnContentAlone) ||
      !entries_.emplace(key, scored).second) {
    return;
  }
  order_.push_back(key);
  if (entries_.size() <= most_entries_) return;
  entries_.erase(order_.front());
  order_.pop_front();
}

}  // namespace trainyard::reward_service
