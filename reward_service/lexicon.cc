#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/line_reader.h"
#include "base/status.h"
#include "reward_service/rule_scorers.h"

namespace trainyard::reward_service {
namespace {

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }

// The words [a-z]+('[a-z]+)? of a text in lower case.
std::vector<std::string> Words(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  std::vector<std::string> words;
  for (size_t i = 0; i < lower.size();) {
    if (!IsLetter(lower[i])) {
      ++i;
      continue;
    }
    const size_t begin = i;
    while (i < lower.size() && IsLetter(lower[i])) ++i;
    if (i + 1 < lower.size() && lower[i] == '\'' && IsLetter(lower[i + 1])) {
      ++i;
      while (i < lower.size() && IsLetter(lower[i])) ++i;
    }
    words.push_back(lower.substr(begin, i - begin));
  }
  return words;
}

class LexiconScorer : public RuleScorer {
 public:
  explicit LexiconScorer(Lexicon lexicon) : lexicon_(std::move(lexicon)) {}

  ComponentScore ScoreOne(const ScoreItem& item) override {
    double sum = 0;
    int matched = 0;
    for (const std::string& word : Words(item.answer)) {
      const auto found = lexicon_.find(word);
      if (found == lexicon_.end()) continue;
      sum += found->second;
      ++matched;
    }
    return ComponentScore::Ok(item, matched == 0 ? 0 : sum / matched);
  }

 private:
  const Lexicon lexicon_;
};

}  // namespace

std::unique_ptr<RuleScorer> MakeLexicon(Lexicon lexicon) {
  return std::make_unique<LexiconScorer>(std::move(lexicon));
}

absl::StatusOr<Lexicon> ReadLexicon(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const auto lines, LineReader::Open(path));
  std::map<std::string, std::pair<double, int>> sums;
  while (true) {
    absl::string_view line;
    TY_ASSIGN_OR_RETURN(const bool more, lines->Next(&line));
    if (!more) break;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const std::string place = lines->place();
    TY_ASSIGN_OR_RETURN(const Json row, ParseJson(line, place));
    const JsonReader reader(row, place);
    TY_ASSIGN_OR_RETURN(const std::string word, reader.String("word"));
    TY_ASSIGN_OR_RETURN(const double value, reader.Double("value"));
    const std::vector<std::string> words = Words(word);
    if (words.size() != 1 || words[0] != word || !std::isfinite(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": \"", word, "\" must be one word [a-z]+('[a-z]+)? with a finite "
                                            "value"));
    }
    sums[word].first += value;
    ++sums[word].second;
  }
  if (sums.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " holds no words"));
  Lexicon lexicon;
  for (const auto& [word, sum] : sums) lexicon[word] = sum.first / sum.second;
  return lexicon;
}

}  // namespace trainyard::reward_service
