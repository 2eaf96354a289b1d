// Measures of a model's answers that no training objective knows.

#ifndef TRAINYARD_EVAL_MEASURE_H_
#define TRAINYARD_EVAL_MEASURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "eval/answer.h"
#include "eval/lexicon.h"
#include "eval/naive_bayes.h"

namespace trainyard::eval {

enum class MetricKind {
  kPolarity,         // mean polarity by a lexicon
  kNaiveBayes,       // share of answers that a judge finds positive
  kPerplexityUnder,  // perplexity of the answers under the baseline, temperature 1, no masks
  kDistinct2,        // distinct / all pairs of neighbouring words, of the first 5,000 pairs
  kTopWordShare,     // share of all words that the most frequent valued word has
  kKlToBaseline,     // nats an answer, estimated on the answers, at the sampling temperature
  kLengthRatio,      // mean tokens of an answer, its end included
  kEndShare,         // share of answers that ended by themselves
  kReward,           // mean reward
  kExactMatch,       // share of answers equal to the row's reference, white space stripped
};

// The spec's name ("polarity", ...). InvalidArgument lists them.
absl::StatusOr<MetricKind> MetricKindFromName(absl::string_view name);

struct Metric {
  std::string name;
  MetricKind kind = MetricKind::kPolarity;
  // Of the kinds that read a file; null for the others. top_word_share without a lexicon counts
  // every word.
  const Lexicon* lexicon = nullptr;
  const NaiveBayes* judge = nullptr;
};

// Answers of one model, the rows in the same order for every model.
struct ModelAnswers {
  std::string model;
  std::vector<AnsweredRow> rows;
  std::vector<std::string> references;  // by row
  // By row and sample, summed over the answer's tokens; empty when no metric needs them.
  std::vector<std::vector<double>> baseline_logprob;          // temperature 1, no masks
  std::vector<std::vector<double>> baseline_sampled_logprob;  // sampling temperature and masks
};

// A measure: f(sum of numerators / sum of denominators) over rows, f the identity or exp. Corpus
// measures have no parts, and so no interval.
struct Measured {
  std::vector<double> numerators;    // by row
  std::vector<double> denominators;  // by row
  bool exponential = false;
  std::optional<double> corpus_value;
  std::string detail;  // what it is about ("best"), or what was left out; may be empty

  // Over rows drawn `drawn[row]` times each.
  double Value(absl::Span<const int32_t> drawn) const;
  double Value() const;
};

// FailedPrecondition when more than 5 % of the answers lack what the metric needs (a reward that
// failed); fewer are left out, and told in `detail`.
absl::StatusOr<Measured> Measure(const Metric& metric, const ModelAnswers& answers);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_MEASURE_H_
