#include "eval/measure.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "eval/words.h"

namespace trainyard::eval {
namespace {

constexpr size_t kPairsCounted = 5000;
constexpr double kValuedWord = 0.1;
constexpr double kMostMissing = 0.05;

constexpr std::pair<absl::string_view, MetricKind> kNames[] = {
    {"polarity", MetricKind::kPolarity},
    {"naive_bayes", MetricKind::kNaiveBayes},
    {"perplexity_under", MetricKind::kPerplexityUnder},
    {"distinct_2", MetricKind::kDistinct2},
    {"top_word_share", MetricKind::kTopWordShare},
    {"kl_to_baseline", MetricKind::kKlToBaseline},
    {"length_ratio", MetricKind::kLengthRatio},
    {"end_share", MetricKind::kEndShare},
    {"reward", MetricKind::kReward},
    {"exact_match", MetricKind::kExactMatch}};

// One answer's share in a measure.
struct Part {
  double numerator = 0;
  double denominator = 1;
};

// The part of an answer; nothing when it lacks what the metric needs.
std::optional<Part> PartOf(const Metric& metric, const ModelAnswers& all, size_t row,
                           size_t sample) {
  const Answer& answer = all.rows[row].answers[sample];
  switch (metric.kind) {
    case MetricKind::kPolarity:
      return Part{metric.lexicon->Score(answer.text)};
    case MetricKind::kNaiveBayes:
      return Part{metric.judge->Score(answer.text) > 0 ? 1.0 : 0.0};
    case MetricKind::kPerplexityUnder:
      return Part{-all.baseline_logprob[row][sample], static_cast<double>(answer.token_ids.size())};
    case MetricKind::kKlToBaseline:
      return Part{answer.logprob - all.baseline_sampled_logprob[row][sample]};
    case MetricKind::kLengthRatio:
      return Part{static_cast<double>(answer.token_ids.size())};
    case MetricKind::kEndShare:
      return Part{answer.finish == Finish::kLength ? 0.0 : 1.0};
    case MetricKind::kReward:
      if (!answer.score.has_value()) return std::nullopt;
      return Part{*answer.score};
    case MetricKind::kExactMatch: {
      const auto expected = absl::StripAsciiWhitespace(all.references[row]);
      if (expected.empty()) return std::nullopt;
      return Part{absl::StripAsciiWhitespace(answer.text) == expected ? 1.0 : 0.0};
    }
    case MetricKind::kDistinct2:
    case MetricKind::kTopWordShare:
      break;
  }
  return std::nullopt;
}

Measured MeasureDistinctPairs(const ModelAnswers& answers) {
  std::set<std::pair<std::string, std::string>> distinct;
  size_t pairs = 0;
  for (const AnsweredRow& row : answers.rows) {
    for (const Answer& answer : row.answers) {
      const std::vector<std::string> words = Words(answer.text);
      for (size_t i = 0; i + 1 < words.size() && pairs < kPairsCounted; ++i, ++pairs) {
        distinct.insert({words[i], words[i + 1]});
      }
    }
  }
  Measured measured;
  measured.corpus_value =
      pairs == 0 ? 0 : static_cast<double>(distinct.size()) / static_cast<double>(pairs);
  return measured;
}

Measured MeasureTopWord(const Metric& metric, const ModelAnswers& answers) {
  std::map<std::string, int64_t> counts;
  int64_t words = 0;
  for (const AnsweredRow& row : answers.rows) {
    for (const Answer& answer : row.answers) {
      for (const std::string& word : Words(answer.text)) {
        ++words;
        const bool counted = metric.lexicon == nullptr ||
                             std::abs(metric.lexicon->ValueOf(word).value_or(0)) >= kValuedWord;
        if (counted) ++counts[word];
      }
    }
  }
  Measured measured;
  measured.corpus_value = 0;
  const auto top = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
    return a.second < b.second;
  });
  if (top == counts.end()) return measured;
  measured.corpus_value = static_cast<double>(top->second) / static_cast<double>(words);
  measured.detail = top->first;
  return measured;
}

}  // namespace

absl::StatusOr<MetricKind> MetricKindFromName(absl::string_view name) {
  std::string names;
  for (const auto& [known, kind] : kNames) {
    if (name == known) return kind;
    absl::StrAppend(&names, names.empty() ? "" : ", ", known);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("metric kind \"", name, "\" is unknown; there are ", names));
}

double Measured::Value(absl::Span<const int32_t> drawn) const {
  if (corpus_value.has_value()) return *corpus_value;
  double numerator = 0, denominator = 0;
  for (size_t row = 0; row < numerators.size(); ++row) {
    numerator += drawn[row] * numerators[row];
    denominator += drawn[row] * denominators[row];
  }
  const double ratio = numerator / denominator;
  return exponential ? std::exp(ratio) : ratio;
}

double Measured::Value() const { return Value(std::vector<int32_t>(numerators.size(), 1)); }

absl::StatusOr<Measured> Measure(const Metric& metric, const ModelAnswers& answers) {
  if (metric.kind == MetricKind::kDistinct2) return MeasureDistinctPairs(answers);
  if (metric.kind == MetricKind::kTopWordShare) return MeasureTopWord(metric, answers);
  Measured measured;
  measured.exponential = metric.kind == MetricKind::kPerplexityUnder;
  int64_t total = 0, missing = 0;
  for (size_t row = 0; row < answers.rows.size(); ++row) {
    Part sum{0, 0};
    for (size_t sample = 0; sample < answers.rows[row].answers.size(); ++sample) {
      ++total;
      const std::optional<Part> part = PartOf(metric, answers, row, sample);
      missing += !part.has_value();
      sum.numerator += part.has_value() ? part->numerator : 0;
      sum.denominator += part.has_value() ? part->denominator : 0;
    }
    measured.numerators.push_back(sum.numerator);
    measured.denominators.push_back(sum.denominator);
  }
  if (total == missing ||
      static_cast<double>(missing) > kMostMissing * static_cast<double>(total)) {
    return absl::FailedPreconditionError(
        absl::StrCat("metric \"", metric.name, "\": ", missing, " of ", total,
                     " answers of model \"", answers.model,
                     "\" have no value (a reward that failed, or a row without a "
                     "reference); at most 5 % may"));
  }
  if (missing > 0) measured.detail = absl::StrCat(missing, " of ", total, " answers left out");
  return measured;
}

}  // namespace trainyard::eval
