// Scorers that follow a rule. Each has a file of its own; here are their options and makers.

#ifndef TRAINYARD_REWARD_SERVICE_RULE_SCORERS_H_
#define TRAINYARD_REWARD_SERVICE_RULE_SCORERS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "reward_service/scorer.h"

namespace trainyard::reward_service {

// 1 when the answer equals the row's reference, else 0. kVerifierError without a reference.
struct ExactMatchOptions {
  bool ignore_case = false;  // ASCII
  bool strip = false;        // white space at both ends
};
std::unique_ptr<RuleScorer> MakeExactMatch(const ExactMatchOptions& options);

// `value` when the pattern (PCRE2) is found in the answer, else 0. InvalidArgument names the
// pattern and the place where it is wrong. A match that exceeds the matcher's limits is
// kVerifierError: the limits count steps, so that the outcome repeats.
struct RegexOptions {
  std::string pattern;
  double value = 1;
};
absl::StatusOr<std::unique_ptr<RuleScorer>> MakeRegex(const RegexOptions& options);

// 1 for answers of min..max tokens, falling linearly to 0 over `slack_tokens` on both sides.
struct LengthOptions {
  int min_tokens = 0;
  int max_tokens = 0;
  int slack_tokens = 0;
};
absl::StatusOr<std::unique_ptr<RuleScorer>> MakeLength(const LengthOptions& options);

// Mean value of the answer's words that the list has; 0 when it has none. Words are
// [a-z]+('[a-z]+)? of the answer in lower case.
using Lexicon = std::map<std::string, double>;
std::unique_ptr<RuleScorer> MakeLexicon(Lexicon lexicon);
// Reads JSONL rows {"word", "value"} (plain, .gz or .zst); a word that comes twice has the mean of
// its values. Errors name file, line and field.
absl::StatusOr<Lexicon> ReadLexicon(const std::string& path);

// `correct` when the answer equals the reference (case and white space at the ends aside), else
// `abstained` when one of the patterns (PCRE2, ignoring case) is found in it, else `wrong`. So a
// policy learns to abstain instead of inventing facts.
struct AbstentionOptions {
  std::vector<std::string> patterns;
  double correct = 1;
  double abstained = 0;
  double wrong = -1;
};
absl::StatusOr<std::unique_ptr<RuleScorer>> MakeAbstention(const AbstentionOptions& options);

// -penalty for each occurrence of one of the words, as a whole word, ignoring case.
struct ForbiddenWordsOptions {
  std::vector<std::string> words;
  double penalty = 1;
};
absl::StatusOr<std::unique_ptr<RuleScorer>> MakeForbiddenWords(
    const ForbiddenWordsOptions& options);

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_RULE_SCORERS_H_
