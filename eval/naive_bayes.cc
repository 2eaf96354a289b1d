#include "eval/naive_bayes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/input_file.h"
#include "base/status.h"
#include "eval/json_lines.h"
#include "eval/words.h"

namespace trainyard::eval {
namespace {

constexpr size_t kLeastWords = 4;
constexpr int64_t kLeastExamples = 4;

// Reads comma-separated values (RFC 4180).
class CsvReader {
 public:
  explicit CsvReader(absl::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  std::vector<std::string> NextRow() {
    std::vector<std::string> fields(1);
    bool quoted = false;
    while (!rest_.empty()) {
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (quoted) {
        if (c != '"') {
          fields.back().push_back(c);
        } else if (!rest_.empty() && rest_[0] == '"') {
          fields.back().push_back('"');
          rest_.remove_prefix(1);
        } else {
          quoted = false;
        }
      } else if (c == '"') {
        quoted = true;
      } else if (c == ',') {
        fields.emplace_back();
      } else if (c == '\n') {
        break;
      } else if (c != '\r') {
        fields.back().push_back(c);
      }
    }
    return fields;
  }

 private:
  absl::string_view rest_;
};

absl::StatusOr<bool> ParseLabel(absl::string_view label, absl::string_view place) {
  if (label == "1") return true;
  if (label == "-1" || label == "0") return false;
  return absl::InvalidArgumentError(absl::StrCat(place, ": label \"", label, "\" must be 1 or -1"));
}

absl::StatusOr<std::vector<LabelledText>> ReadCsv(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  std::vector<LabelledText> texts;
  CsvReader reader(text);
  for (int row = 1; !reader.done(); ++row) {
    const std::vector<std::string> fields = reader.NextRow();
    const std::string place = absl::StrCat(path, ": row ", row);
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (fields.size() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, " has ", fields.size(), " columns, must have label and text"));
    }
    if (row == 1 && fields[0] == "label") continue;
    TY_ASSIGN_OR_RETURN(const bool positive, ParseLabel(fields[0], place));
    texts.push_back({fields[1], positive});
  }
  return texts;
}

absl::StatusOr<std::vector<LabelledText>> ReadRows(const std::string& path) {
  std::vector<LabelledText> texts;
  const auto read = [&](const JsonReader& reader, const std::string& place) -> absl::Status {
    LabelledText& labelled = texts.emplace_back();
    TY_ASSIGN_OR_RETURN(labelled.text, reader.String("text"));
    TY_ASSIGN_OR_RETURN(const int64_t label, reader.Int("label"));
    TY_ASSIGN_OR_RETURN(labelled.positive, ParseLabel(absl::StrCat(label), place));
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(ForEachJsonLine(path, read));
  return texts;
}

std::set<std::string> Features(const std::vector<std::string>& words) {
  std::set<std::string> features(words.begin(), words.end());
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    features.insert(absl::StrCat(words[i], " ", words[i + 1]));
  }
  return features;
}

}  // namespace

absl::StatusOr<std::vector<LabelledText>> LoadLabelledTexts(const std::string& path) {
  const bool rows = absl::EndsWith(WithoutCompression(path), ".jsonl");
  return rows ? ReadRows(path) : ReadCsv(path);
}

absl::StatusOr<NaiveBayes> NaiveBayes::Train(const std::vector<LabelledText>& texts) {
  absl::flat_hash_map<std::string, std::array<int64_t, 2>> counts;
  std::array<int64_t, 2> lines = {0, 0};
  for (const LabelledText& labelled : texts) {
    for (const absl::string_view line : absl::StrSplit(labelled.text, '\n')) {
      const std::vector<std::string> words = Words(line);
      if (words.size() < kLeastWords) continue;
      ++lines[labelled.positive];
      for (const std::string& feature : Features(words)) ++counts[feature][labelled.positive];
    }
  }
  if (lines[0] == 0 || lines[1] == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a judge needs examples of both labels, there are ", lines[1],
                     " positive and ", lines[0], " negative lines of at least 4 words"));
  }
  NaiveBayes judge;
  judge.examples_ = lines[0] + lines[1];
  const auto log_share = [&](int64_t count, int label) {
    return std::log(static_cast<double>(count + 1) / static_cast<double>(lines[label] + 2));
  };
  for (const auto& [feature, count] : counts) {
    if (count[0] + count[1] < kLeastExamples) continue;
    judge.weights_[feature] = log_share(count[1], 1) - log_share(count[0], 0);
  }
  return judge;
}

double NaiveBayes::Score(absl::string_view text) const {
  double sum = 0;
  for (const std::string& feature : Features(Words(text))) {
    const auto found = weights_.find(feature);
    if (found != weights_.end()) sum += found->second;
  }
  return sum;
}

}  // namespace trainyard::eval
