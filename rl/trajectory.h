// A finished answer as PPO sees it: tokens, where they came from, what they scored. Values.

#ifndef TRAINYARD_RL_TRAJECTORY_H_
#define TRAINYARD_RL_TRAJECTORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace trainyard::rl {

enum class SpanSource { kPrompt, kModel, kEnvironment };

// Tokens [begin, end) of one source. Spans follow each other without a gap and cover the sequence.
struct Span {
  int64_t begin = 0;
  int64_t end = 0;
  SpanSource source = SpanSource::kPrompt;
  bool train = false;          // only MODEL tokens may be trained
  int64_t policy_version = 0;  // of MODEL tokens
};

// kStop: the policy's end token. kLength: the token limit or the context ran out.
enum class FinishReason { kStop, kLength };

// A trajectory with any other status than kOk has no score; a score is never invented for it.
enum class ScoreStatus { kOk, kTimeout, kVerifierError, kModelError, kRejected };

struct ComponentScore {
  std::string component;
  int64_t at_token = 0;  // index into token_ids where the score was read
  double raw = 0;
  ScoreStatus status = ScoreStatus::kOk;
};

// One sample of one ledger row.
struct Trajectory {
  int64_t row = 0;     // ledger row: the number of the prompt's draw in this run
  int64_t sample = 0;  // 0..samples_per_prompt-1
  std::vector<int32_t> token_ids;
  std::vector<Span> spans;
  // For each MODEL token, in order: its log-prob under the rollout engine, at the sampling
  // temperature and under the policy mask; and the log of the probability mass that top-k / top-p
  // kept (0 without them).
  std::vector<float> log_probs;
  std::vector<float> log_kept_mass;
  FinishReason finish = FinishReason::kStop;
  std::vector<ComponentScore> scores;
  double reward = 0;  // the components combined, not yet normalised or clipped
  ScoreStatus status = ScoreStatus::kOk;
};

// The indices of the trained tokens (MODEL spans with `train`), ascending. Their log-prob and value
// are read at index - 1.
std::vector<int64_t> TrainedTokens(const Trajectory& trajectory);

// InvalidArgument, naming row, sample and field, unless: spans cover token_ids in order from a
// non-empty PROMPT span; at least one token is trained; log_probs and log_kept_mass have one finite
// entry per MODEL token; token ids are in [0, vocabulary_size).
absl::Status ValidateTrajectory(const Trajectory& trajectory, int64_t vocabulary_size);

// Sorts by (row, sample). InvalidArgument when a pair occurs twice.
absl::Status SortCanonically(std::vector<Trajectory>& trajectories);

// SHA-256 hex over every field of the trajectories that training reads, in the given order.
std::string DigestTrajectories(const std::vector<Trajectory>& trajectories);

const char* ScoreStatusName(ScoreStatus status);

}  // namespace trainyard::rl

#endif  // TRAINYARD_RL_TRAJECTORY_H_
