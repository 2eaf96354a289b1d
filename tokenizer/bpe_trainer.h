// Learns a byte-level BPE vocabulary from text.

#ifndef TRAINYARD_TOKENIZER_BPE_TRAINER_H_
#define TRAINYARD_TOKENIZER_BPE_TRAINER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

struct BpeTrainerOptions {
  int32_t vocabulary_size = 8192;           // specials, 256 bytes and merges together
  std::vector<std::string> special_tokens;  // get the ids 0, 1, 2, ...
  int64_t min_frequency = 2;                // a pair seen less often is not merged
  std::string pattern = kGpt2Pattern;
};

// Counts the pieces of the text it is fed, then merges the most frequent pair again and again; of
// equally frequent pairs the one with the smaller ids. The result is a function of the multiset of
// texts: neither of their order nor of time. Owned by one thread.
class BpeTrainer {
 public:
  // InvalidArgument for a size that does not hold the specials and the 256 bytes, for a special
  // token that is empty or given twice, for a bad pattern.
  static absl::StatusOr<std::unique_ptr<BpeTrainer>> Create(BpeTrainerOptions options);

  // Counts one text. Specials in it are text; bytes that are not UTF-8 count as U+FFFD.
  void Feed(absl::string_view text);

  // The tokenizer; the trainer is spent. It has fewer ids than asked for when the text runs out of
  // pairs. FailedPrecondition when nothing was fed.
  absl::StatusOr<TokenizerParts> Finish();

 private:
  explicit BpeTrainer(BpeTrainerOptions options) : options_(std::move(options)) {}

  BpeTrainerOptions options_;
  std::unique_ptr<Pattern> pattern_;
  std::vector<absl::string_view> pieces_;
  absl::flat_hash_map<std::string, int64_t> counts_;
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_BPE_TRAINER_H_
