// Cuts text into the pieces that the model works on: no merge ever crosses a cut.

#ifndef TRAINYARD_TOKENIZER_PRETOKENIZER_H_
#define TRAINYARD_TOKENIZER_PRETOKENIZER_H_

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace trainyard::tokenizer {

struct Piece {
  absl::string_view text;  // valid UTF-8, never empty
  size_t first_bytes = 0;  // as in NormalText
};

// Pieces, and the memory of those that a step has rewritten. Where none was, they are views into
// the text they were cut from, which must stay.
struct Pieces {
  std::vector<Piece> list;
  std::list<std::string> rewritten;
};

// Immutable, thread-safe.
class Pretokenizer {
 public:
  virtual ~Pretokenizer() = default;
  // Cuts and rewrites each piece.
  virtual void Apply(Pieces* pieces) const = 0;
};

struct PretokenizerChoice {
  std::unique_ptr<Pretokenizer> pretokenizer;  // null: a text is one piece
  // The last step is ByteLevel: the pieces are the bytes themselves, which the model must read as
  // characters of the byte alphabet (byte_alphabet.h).
  bool raw_bytes = false;
};

// The "pre_tokenizer" of a tokenizer.json. InvalidArgument lists the types there are.
absl::StatusOr<PretokenizerChoice> MakePretokenizer(const Json& json, absl::string_view document);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_PRETOKENIZER_H_
