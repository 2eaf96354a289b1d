#include "eval/lexicon.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/input_file.h"
#include "base/status.h"
#include "eval/json_lines.h"
#include "eval/words.h"

namespace trainyard::eval {
namespace {

constexpr size_t kNegationReach = 3;
constexpr double kNegationFactor = -0.5;

constexpr absl::string_view kNegations[] = {
    "not",   "no",       "never",    "neither",   "nor",    "without", "hardly", "cannot",
    "can't", "don't",    "doesn't",  "didn't",    "isn't",  "wasn't",  "aren't", "weren't",
    "won't", "wouldn't", "couldn't", "shouldn't", "hasn't", "haven't", "hadn't", "ain't"};

bool IsNegation(absl::string_view word) {
  return std::find(std::begin(kNegations), std::end(kNegations), word) != std::end(kNegations);
}

struct Entry {
  std::string word;
  double value = 0;
};

// The value of `name="..."` in an XML tag.
absl::StatusOr<std::string> Attribute(absl::string_view tag, absl::string_view name) {
  const std::string start = absl::StrCat(" ", name, "=\"");
  const size_t begin = tag.find(start);
  const size_t end = begin == absl::string_view::npos ? begin : tag.find('"', begin + start.size());
  if (end == absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("<word ...> without ", name));
  }
  return std::string(tag.substr(begin + start.size(), end - begin - start.size()));
}

absl::StatusOr<std::vector<Entry>> ReadXml(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string file, ReadText(path));
  const absl::string_view text = file;
  std::vector<Entry> entries;
  for (size_t at = text.find("<word "); at != absl::string_view::npos;
       at = text.find("<word ", at + 1)) {
    const absl::string_view tag = text.substr(at, text.find('>', at) - at);
    Entry entry;
    TY_ASSIGN_OR_RETURN(entry.word, Attribute(tag, "form"));
    TY_ASSIGN_OR_RETURN(const std::string polarity, Attribute(tag, "polarity"));
    if (!absl::SimpleAtod(polarity, &entry.value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("polarity \"", polarity, "\" of \"", entry.word, "\" is no number"));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

absl::StatusOr<std::vector<Entry>> ReadJsonLines(const std::string& path) {
  std::vector<Entry> entries;
  const auto read = [&](const JsonReader& reader, const std::string&) -> absl::Status {
    Entry& entry = entries.emplace_back();
    TY_ASSIGN_OR_RETURN(entry.word, reader.String("word"));
    TY_ASSIGN_OR_RETURN(entry.value, reader.Double("value"));
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(ForEachJsonLine(path, read));
  return entries;
}

}  // namespace

absl::StatusOr<Lexicon> Lexicon::Load(const std::string& path) {
  const bool xml = absl::EndsWith(WithoutCompression(path), ".xml");
  auto entries = xml ? ReadXml(path) : ReadJsonLines(path);
  if (!entries.ok()) return Annotate(entries.status(), path);
  absl::flat_hash_map<std::string, std::pair<double, int>> sums;
  for (const Entry& entry : *entries) {
    const std::vector<std::string> words = Words(entry.word);
    if (words.size() != 1 || words[0] != entry.word) continue;
    auto& [sum, count] = sums[entry.word];
    sum += entry.value;
    ++count;
  }
  if (sums.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no entry that is a word"));
  }
  Lexicon lexicon;
  for (const auto& [word, sum] : sums) lexicon.values_[word] = sum.first / sum.second;
  return lexicon;
}

std::optional<double> Lexicon::ValueOf(absl::string_view word) const {
  const auto found = values_.find(word);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

double Lexicon::Score(absl::string_view text) const {
  const std::vector<std::string> words = Words(text);
  double sum = 0;
  int matched = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::optional<double> value = ValueOf(words[i]);
    if (!value.has_value()) continue;
    const auto first = words.begin() + (i - std::min(i, kNegationReach));
    const bool negated = std::any_of(first, words.begin() + i, IsNegation);
    sum += negated ? *value * kNegationFactor : *value;
    ++matched;
  }
  return matched == 0 ? 0 : sum / matched;
}

}  // namespace trainyard::eval
