// Polarity of a text by a list of valued words.

#ifndef TRAINYARD_EVAL_LEXICON_H_
#define TRAINYARD_EVAL_LEXICON_H_

#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::eval {

// Immutable, thread-safe.
class Lexicon {
 public:
  // `.xml`: <word form="..." polarity="..."/> entries (the lexicon of Pattern; De Smedt and
  // Daelemans 2012); else JSONL rows {"word", "value"}; each also as .gz or .zst. A
  // word's value is the mean of its entries; entries that are no word (see words.h) are left out.
  // NotFound; InvalidArgument when there is no entry, or a value is no number.
  static absl::StatusOr<Lexicon> Load(const std::string& path);

  std::optional<double> ValueOf(absl::string_view word) const;

  // The mean value of the text's listed words, 0 when it has none. A word with a negation among
  // the three words before it counts -0.5 times.
  double Score(absl::string_view text) const;

  size_t size() const { return values_.size(); }

 private:
  absl::flat_hash_map<std::string, double> values_;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_LEXICON_H_
