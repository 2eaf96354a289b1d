#include "rl/trajectory.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/checksum.h"

namespace trainyard::rl {
namespace {

std::string Name(const Trajectory& trajectory) {
  return absl::StrCat("trajectory of ledger row ", trajectory.row, " sample ", trajectory.sample);
}

absl::Status Invalid(const Trajectory& trajectory, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(Name(trajectory), ": ", what));
}

template <typename T>
void AppendBytes(const T& value, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
void AppendAll(const std::vector<T>& values, std::string& bytes) {
  AppendBytes(static_cast<int64_t>(values.size()), bytes);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

absl::Status ValidateSpans(const Trajectory& trajectory) {
  const int64_t length = static_cast<int64_t>(trajectory.token_ids.size());
  int64_t at = 0;
  for (const Span& span : trajectory.spans) {
    if (span.begin != at || span.end <= span.begin || span.end > length) {
      return Invalid(trajectory, absl::StrCat("span [", span.begin, ", ", span.end,
                                              ") does not follow token ", at, " of ", length));
    }
    if (span.train && span.source != SpanSource::kModel) {
      return Invalid(trajectory, absl::StrCat("span [", span.begin, ", ", span.end,
                                              ") is to be trained but is not the model's"));
    }
    at = span.end;
  }
  if (at != length) {
    return Invalid(trajectory, absl::StrCat("spans cover ", at, " of ", length, " tokens"));
  }
  if (trajectory.spans.empty() || trajectory.spans.front().source != SpanSource::kPrompt) {
    return Invalid(trajectory, "the first span must be the prompt");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<int64_t> TrainedTokens(const Trajectory& trajectory) {
  std::vector<int64_t> indices;
  for (const Span& span : trajectory.spans) {
    if (span.source != SpanSource::kModel || !span.train) continue;
    for (int64_t index = span.begin; index < span.end; ++index) indices.push_back(index);
  }
  return indices;
}

absl::Status ValidateTrajectory(const Trajectory& trajectory, int64_t vocabulary_size) {
  if (absl::Status status = ValidateSpans(trajectory); !status.ok()) return status;
  size_t model_tokens = 0;
  for (const Span& span : trajectory.spans) {
    if (span.source == SpanSource::kModel) model_tokens += span.end - span.begin;
  }
  if (TrainedTokens(trajectory).empty()) return Invalid(trajectory, "no token is to be trained");
  if (trajectory.log_probs.size() != model_tokens ||
      trajectory.log_kept_mass.size() != model_tokens) {
    return Invalid(trajectory, absl::StrCat(trajectory.log_probs.size(), " log-probs and ",
                                            trajectory.log_kept_mass.size(), " kept masses for ",
                                            model_tokens, " model tokens"));
  }
  for (size_t i = 0; i < model_tokens; ++i) {
    if (std::isfinite(trajectory.log_probs[i]) && std::isfinite(trajectory.log_kept_mass[i])) {
      continue;
    }
    return Invalid(trajectory, absl::StrCat("log-prob ", i, " is not finite"));
  }
  for (int32_t id : trajectory.token_ids) {
    if (id >= 0 && id < vocabulary_size) continue;
    return Invalid(trajectory, absl::StrCat("token id ", id, " is outside of the vocabulary of ",
                                            vocabulary_size));
  }
  return absl::OkStatus();
}

absl::Status SortCanonically(std::vector<Trajectory>& trajectories) {
  std::sort(trajectories.begin(), trajectories.end(), [](const Trajectory& a, const Trajectory& b) {
    return std::tie(a.row, a.sample) < std::tie(b.row, b.sample);
  });
  for (size_t i = 1; i < trajectories.size(); ++i) {
    const Trajectory& previous = trajectories[i - 1];
    if (previous.row == trajectories[i].row && previous.sample == trajectories[i].sample) {
      return Invalid(previous, "occurs twice in one iteration");
    }
  }
  return absl::OkStatus();
}

std::string DigestTrajectories(const std::vector<Trajectory>& trajectories) {
  std::string bytes;
  for (const Trajectory& trajectory : trajectories) {
    AppendBytes(trajectory.row, bytes);
    AppendBytes(trajectory.sample, bytes);
    AppendAll(trajectory.token_ids, bytes);
    for (const Span& span : trajectory.spans) {
      for (int64_t value : {span.begin, span.end, static_cast<int64_t>(span.source),
                            static_cast<int64_t>(span.train), span.policy_version}) {
        AppendBytes(value, bytes);
      }
    }
    AppendAll(trajectory.log_probs, bytes);
    AppendAll(trajectory.log_kept_mass, bytes);
    AppendBytes(static_cast<int64_t>(trajectory.finish), bytes);
    AppendBytes(trajectory.reward, bytes);
    AppendBytes(static_cast<int64_t>(trajectory.status), bytes);
  }
  return Sha256Hex(bytes);
}

const char* ScoreStatusName(ScoreStatus status) {
  switch (status) {
    case ScoreStatus::kOk: return "OK";
    case ScoreStatus::kTimeout: return "TIMEOUT";
    case ScoreStatus::kVerifierError: return "VERIFIER_ERROR";
    case ScoreStatus::kModelError: return "MODEL_ERROR";
    case ScoreStatus::kRejected: return "REJECTED";
  }
  return "UNKNOWN";
}

}  // namespace trainyard::rl
