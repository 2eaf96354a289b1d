// Encodes many texts on several threads.

#ifndef TRAINYARD_TOKENIZER_BATCH_ENCODER_H_
#define TRAINYARD_TOKENIZER_BATCH_ENCODER_H_

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// The ids of some texts, one text's after the other's.
class EncodedBatch {
 public:
  size_t size() const { return ends_.size(); }
  // Of one text; valid until the batch is filled again.
  absl::Span<const TokenId> operator[](size_t text) const {
    const size_t begin = text == 0 ? 0 : ends_[text - 1];
    return absl::MakeConstSpan(ids_).subspan(begin, ends_[text] - begin);
  }

 private:
  friend class BatchEncoder;
  std::vector<TokenId> ids_;
  std::vector<size_t> ends_;  // in ids_
};

// Gives each text the ids that Tokenizer gives it, whatever the number of threads: a text is
// encoded whole, by one of them. Its threads live for one call, what it remembers of pieces (2 MiB
// a thread) for as long as it does. Owned by one thread; the tokenizer must outlive it.
class BatchEncoder {
 public:
  // At least one thread.
  BatchEncoder(const Tokenizer& tokenizer, int threads);

  // Replaces what is in `batch`. User text (special look-alikes stay text), or trusted text.
  void Encode(absl::Span<const absl::string_view> texts, AddedTokens added, EncodedBatch* batch);

 private:
  std::vector<Encoder> encoders_;  // one a thread
};

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_BATCH_ENCODER_H_
