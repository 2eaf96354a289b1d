// Fuzzes the reading of tokenizers. The first byte says which format: 0 a tokenizer.json, 1 a
// SentencePiece .model. One that is not refused encodes and decodes some texts, in the same way
// each time.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/status.h"
#include "tokenizer/batch_encoder.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr absl::string_view kTexts[] = {
    "", " ", "a", "Hello, world's  end 123\r\n\t", "안녕 e\xCC\x81 \xF0\x9F\x98\x80<s>", "\xFF\xC3",
    "\xC3\xA9\xCC\xB4\xCC\x81 ½",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

void Use(const Tokenizer& tokenizer) {
  BatchEncoder encoder(tokenizer, 1);
  EncodedBatch batch;
  for (const AddedTokens added : {AddedTokens::kAsText, AddedTokens::kParse}) {
    encoder.Encode(kTexts, added, &batch);
    for (size_t i = 0; i < batch.size(); ++i) {
      const std::vector<TokenId> ids = added == AddedTokens::kParse
                                           ? tokenizer.EncodeWithAdded(kTexts[i])
                                           : tokenizer.Encode(kTexts[i]);
      TY_CHECK(batch[i] == absl::MakeConstSpan(ids));
      for (const TokenId id : ids) TY_CHECK(id >= 0 && id < tokenizer.vocabulary_size());
      TY_CHECK(IsValidUtf8(tokenizer.Decode(ids, SpecialTokens::kKeep)));
      StreamDecoder decoder(tokenizer, SpecialTokens::kSkip);
      std::string text;
      for (const TokenId id : ids) text += decoder.Push(id);
      text += decoder.Finish();
      TY_CHECK(text == tokenizer.Decode(ids, SpecialTokens::kSkip));
    }
  }
}

}  // namespace
}  // namespace trainyard::tokenizer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trainyard::tokenizer;
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 0) {
    const auto tokenizer = ParseTokenizer(rest, "fuzz");
    if (tokenizer.ok()) Use(**tokenizer);
    return 0;
  }
  if (data[0] != 1) return -1;  // kept out of the corpus
  auto spec = ParseSentencePieceModel(rest, "fuzz");
  if (!spec.ok()) return 0;
  const auto tokenizer = Tokenizer::Create(*std::move(spec));
  if (tokenizer.ok()) Use(**tokenizer);
  return 0;
}
