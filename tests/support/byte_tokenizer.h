// A tokenizer that needs no training: a token per byte, and added ones after them.

#ifndef TRAINYARD_TESTS_SUPPORT_BYTE_TOKENIZER_H_
#define TRAINYARD_TESTS_SUPPORT_BYTE_TOKENIZER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::testing {

// Added tokens have the ids 256, 257, ...
inline std::shared_ptr<const tokenizer::Tokenizer> ByteTokenizer(
    const std::vector<std::string>& added = {}) {
  tokenizer::TokenizerParts parts;
  for (int byte = 0; byte < 256; ++byte) parts.token_bytes.emplace_back(1, static_cast<char>(byte));
  for (size_t i = 0; i < added.size(); ++i) {
    parts.added.push_back({static_cast<tokenizer::TokenId>(256 + i), added[i], true});
  }
  auto tokenizer = tokenizer::Tokenizer::Create(std::move(parts));
  TY_CHECK(tokenizer.ok());
  return *std::move(tokenizer);
}

}  // namespace trainyard::testing

#endif  // TRAINYARD_TESTS_SUPPORT_BYTE_TOKENIZER_H_
