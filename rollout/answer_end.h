// When an answer ends.

#ifndef TRAINYARD_ROLLOUT_ANSWER_END_H_
#define TRAINYARD_ROLLOUT_ANSWER_END_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rollout/sequence.h"

namespace trainyard::rollout {

// By what an answer may end. What it refers to must outlive it.
struct AnswerEnd {
  const SamplingParameters& sampling;
  const std::vector<std::string>& token_bytes;  // the text of each id; of no use without stops
  int most_tokens = 0;                          // of the answer: max_new_tokens or the context
};

// Why the answer ends with its last token `id`, the `tokens`-th; nothing when it goes on.
// `text_tail` is the end of the answer's text, as long as a stop string may reach back; `id` is
// added to it.
std::optional<FinishReason> EndOf(const AnswerEnd& end, int32_t id, int tokens,
                                  std::string* text_tail);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_ANSWER_END_H_
