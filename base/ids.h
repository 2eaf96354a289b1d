// Names that people and programs give to things.

#ifndef TRAINYARD_BASE_IDS_H_
#define TRAINYARD_BASE_IDS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// A name of a job, node, role or artifact: 1..63 of [a-z0-9-], starts with a letter, does not end
// with '-'. InvalidArgument names `what`, the value and the rule.
absl::Status ValidateName(absl::string_view what, absl::string_view name);

// `prefix` + '-' + 12 random characters of [a-z2-7]. For request ids and generated names.
std::string RandomId(absl::string_view prefix);

// 32 random bytes as 64 hex digits: a job's secret.
std::string RandomSecret();

// The nearest of `candidates` to a misspelt `name` (Levenshtein distance <= 3 and <= half of its
// length), or an empty string. For "did you mean".
template <typename Container>
std::string NearestName(absl::string_view name, const Container& candidates);

// Levenshtein distance.
int EditDistance(absl::string_view a, absl::string_view b);

template <typename Container>
std::string NearestName(absl::string_view name, const Container& candidates) {
  std::string nearest;
  int best = 4;
  for (const auto& candidate : candidates) {
    const int distance = EditDistance(name, candidate);
    if (distance < best && distance * 2 <= static_cast<int>(name.size())) {
      best = distance;
      nearest = std::string(candidate);
    }
  }
  return nearest;
}

}  // namespace trainyard

#endif  // TRAINYARD_BASE_IDS_H_
