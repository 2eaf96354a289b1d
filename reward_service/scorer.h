// What every scorer is. A scorer gives a number or says why it can not: a failure is never one.

#ifndef TRAINYARD_REWARD_SERVICE_SCORER_H_
#define TRAINYARD_REWARD_SERVICE_SCORER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace trainyard::reward_service {

// An answer to be scored. Mirrors reward.proto.
struct ScoreItem {
  int64_t row = 0;
  int32_t sample = 0;
  std::vector<int32_t> token_ids;  // prompt and answer
  int answer_begin = 0;            // first answer token
  std::string prompt;              // texts without template tokens
  std::string answer;
  std::string reference;  // the row's own answer; empty: there is none
};

enum class ScoreStatus {
  kOk,
  kTimeout,        // the deadline passed first
  kVerifierError,  // a rule could not decide: no reference, a limit of the pattern matcher
  kModelError,     // the model failed or gave a number that is not finite
  kRejected,       // the item can not be scored: empty, longer than the model's context
};

// One component's score of one item.
struct ComponentScore {
  ScoreStatus status = ScoreStatus::kOk;
  int at_token = 0;  // index in token_ids that the score belongs to
  double raw = 0;    // as the scorer gave it
  double value = 0;  // after the component's own normalisation
  std::string message;  // why the status is not kOk

  static ComponentScore Ok(const ScoreItem& item, double value) {
    return {ScoreStatus::kOk, LastToken(item), value, value, ""};
  }
  static ComponentScore Failed(ScoreStatus status, std::string message) {
    return {status, 0, 0, 0, std::move(message)};
  }
  static int LastToken(const ScoreItem& item) {
    return item.token_ids.empty() ? 0 : static_cast<int>(item.token_ids.size()) - 1;
  }
};

// Owned by one thread (the scoring thread).
class Scorer {
 public:
  virtual ~Scorer() = default;
  // One score per item, in order. An item's score does not depend on the others. Items that are
  // not scored when `deadline` comes get kTimeout.
  virtual std::vector<ComponentScore> Score(absl::Span<const ScoreItem> items,
                                            absl::Time deadline) = 0;
};

// A scorer that looks at one item at a time and takes no time worth a deadline.
class RuleScorer : public Scorer {
 public:
  std::vector<ComponentScore> Score(absl::Span<const ScoreItem> items, absl::Time) final {
    std::vector<ComponentScore> scores;
    scores.reserve(items.size());
    for (const ScoreItem& item : items) scores.push_back(ScoreOne(item));
    return scores;
  }
  virtual ComponentScore ScoreOne(const ScoreItem& item) = 0;
};

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_SCORER_H_
