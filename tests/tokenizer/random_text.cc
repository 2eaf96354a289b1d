#include "tests/tokenizer/random_text.h"

#include <vector>

#include "base/random.h"

namespace trainyard::tokenizer {

std::string RandomText(uint64_t seed, int pieces) {
  // clang-format off
  static const std::vector<std::string> kSnippets = {
      "the", " cat", "don't", "'ll", "'S", "'re", "''s", " we've", " ", "  ", "\n", "\n\n",
      "\t", "\r\n", " \n ", "\x0b\x0c", "1234", " 42", "½", "٣", "Ⅷ", "안녕", " 세계", "하세요",
      "日本語", " Ünï", "é", "e\xCC\x81", "👍", "👩‍👩‍👧", "🏽", " 🎉", "\xC2\x85", "\xC2\xA0",
      "\xE2\x80\x8B", "\xE3\x80\x80", "\xE1\xA0\x8E", "\xE2\x80\xA8", "<|end|>",
      "<|endoftext|>", "<|", "|>", "if(x){", "}", "::", "->", "/*", "#include", "\"",
      "...", "!?", "_", "a", "Z", "\x01", "\x7f", "ǅ", "\xEF\xBF\xBD", "\xF0\x9D\x94\x98",
      "\xE2\x80\x99s", "x'", "'t'm", "ﬁ",
  };
  // clang-format on
  const CounterRandom random(DeriveKey(seed, "random_text"));
  std::string text;
  for (int i = 0; i < pieces; ++i) text += kSnippets[random.Below(kSnippets.size(), i)];
  return text;
}

std::string RandomBytes(uint64_t seed, int size) {
  const CounterRandom random(DeriveKey(seed, "random_bytes"));
  std::string bytes;
  for (int i = 0; i < size; ++i) {
    // Half of them start or continue a character, so that some are nearly valid.
    const uint64_t kind = random.Below(4, i, 1);
    const uint64_t byte = kind == 0   ? 0x80 + random.Below(64, i)
                          : kind == 1 ? 0xC0 + random.Below(64, i)
                                      : random.Below(128, i);
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

}  // namespace trainyard::tokenizer
