#include "rollout/answer_end.h"

#include <algorithm>

namespace trainyard::rollout {
namespace {

bool HitsStopString(const AnswerEnd& end, int32_t id, std::string* text_tail) {
  const std::vector<std::string>& stops = end.sampling.stop_strings;
  if (stops.empty()) return false;
  size_t longest = 0;
  for (const std::string& stop : stops) longest = std::max(longest, stop.size());
  if (id < static_cast<int32_t>(end.token_bytes.size())) *text_tail += end.token_bytes[id];
  for (const std::string& stop : stops) {
    if (text_tail->find(stop) != std::string::npos) return true;
  }
  if (text_tail->size() >= longest) text_tail->erase(0, text_tail->size() - (longest - 1));
  return false;
}

}  // namespace

std::optional<FinishReason> EndOf(const AnswerEnd& end, int32_t id, int tokens,
                                  std::string* text_tail) {
  const std::vector<int32_t>& ends = end.sampling.end_ids;
  if (!end.sampling.ignore_eos && std::find(ends.begin(), ends.end(), id) != ends.end()) {
    return FinishReason::kEnd;
  }
  if (HitsStopString(end, id, text_tail)) return FinishReason::kStop;
  if (tokens >= end.most_tokens) return FinishReason::kLength;
  return std::nullopt;
}

}  // namespace trainyard::rollout
