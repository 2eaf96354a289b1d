// A judge of texts that was made from other people's labels.

#ifndef TRAINYARD_EVAL_NAIVE_BAYES_H_
#define TRAINYARD_EVAL_NAIVE_BAYES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::eval {

struct LabelledText {
  std::string text;
  bool positive = false;
};

// CSV with two columns, "label","text" (label 1 or -1, quoted fields may span lines, a byte order
// mark is skipped), or .jsonl rows {"text", "label"}; each also as .gz or .zst. InvalidArgument
// names file and row.
absl::StatusOr<std::vector<LabelledText>> LoadLabelledTexts(const std::string& path);

// Naive Bayes over the set of words and of adjacent pairs of a line (Bernoulli features, presence
// only, add-one smoothing). Immutable, thread-safe.
class NaiveBayes {
 public:
  // Each line with at least 4 words is one example with its text's label; features are kept that
  // occur in at least 4 examples. InvalidArgument when a class has no example.
  static absl::StatusOr<NaiveBayes> Train(const std::vector<LabelledText>& texts);

  // The sum of the weights of the features present: above 0 is positive.
  double Score(absl::string_view text) const;

  int64_t examples() const { return examples_; }
  size_t features() const { return weights_.size(); }

 private:
  int64_t examples_ = 0;
  absl::flat_hash_map<std::string, double> weights_;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_NAIVE_BAYES_H_
