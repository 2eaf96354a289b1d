// The tokens of a laid-out conversation, and what each of them is.

#ifndef TRAINYARD_TOKENIZER_CHAT_TOKENS_H_
#define TRAINYARD_TOKENIZER_CHAT_TOKENS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "tokenizer/chat_layout.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::tokenizer {

// What a token of a rendered conversation is; bits.
enum TokenFlags : uint8_t {
  kTrained = 1,  // the loss counts where this token is the target
  kTag = 2,      // belongs to the template, not to anybody's text
};

struct RenderedChat {
  std::vector<TokenId> ids;
  std::vector<uint8_t> flags;  // TokenFlags by token
};

// The ids that tokenizers gives for the pieces put together, but for this: added tokens are found
// in tags alone, so that what looks like one in a text stays text. A token over the border of two
// pieces is trained when one of them is, and a tag when both are.
RenderedChat TokensOfChat(const Tokenizer& tokenizer, absl::Span<const ChatPiece> pieces);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_TOKENS_H_
