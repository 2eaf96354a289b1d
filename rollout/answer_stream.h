// The tokens of answers as they go to a client while they are chosen.

#ifndef TRAINYARD_ROLLOUT_ANSWER_STREAM_H_
#define TRAINYARD_ROLLOUT_ANSWER_STREAM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "rollout/sequence.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"
#include "trainyard/v1/rollout.pb.h"

namespace trainyard::rollout {

// The deltas of one call. Their text is whole characters only; together it is the answer's, special
// tokens left out. Nothing is held back for stop strings: one that ends an answer is part of its
// text, as it is of its tokens. Owned by one thread.
class AnswerStream {
 public:
  // Null: deltas without text. Must outlive this.
  explicit AnswerStream(const tokenizer::Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  v1::TokenDelta Write(const TokenDelta& delta);
  // What a sample that ended has and no delta told; nothing when that is nothing.
  std::optional<v1::TokenDelta> Rest(const Completion& completion);

 private:
  struct Sample {
    size_t told = 0;  // tokens
    std::unique_ptr<tokenizer::StreamDecoder> decoder;
  };
  using Name = std::pair<uint64_t, int32_t>;  // ticket and index

  Sample& Open(const Name& name);

  const tokenizer::Tokenizer* const tokenizer_;
  std::map<Name, Sample> samples_;
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_ANSWER_STREAM_H_
