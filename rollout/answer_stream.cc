#include "rollout/answer_stream.h"

#include "absl/types/span.h"

namespace trainyard::rollout {
namespace {

v1::TokenDelta Tell(const TokenDelta& of, absl::Span<const int32_t> ids,
                    tokenizer::StreamDecoder* decoder) {
  v1::TokenDelta wire;
  wire.set_row(of.row);
  wire.set_sample(of.sample);
  wire.mutable_token_ids()->Add(ids.begin(), ids.end());
  if (decoder == nullptr) return wire;
  for (int32_t id : ids) *wire.mutable_text() += decoder->Push(id);
  return wire;
}

}  // namespace

AnswerStream::Sample& AnswerStream::Open(const Name& name) {
  Sample& sample = samples_[name];
  if (sample.decoder == nullptr && tokenizer_ != nullptr) {
    sample.decoder = std::make_unique<tokenizer::StreamDecoder>(*tokenizer_,
                                                                tokenizer::SpecialTokens::kSkip);
  }
  return sample;
}

v1::TokenDelta AnswerStream::Write(const TokenDelta& delta) {
  Sample& sample = Open({delta.ticket, delta.sample});
  sample.told += delta.token_ids.size();
  return Tell(delta, delta.token_ids, sample.decoder.get());
}

std::optional<v1::TokenDelta> AnswerStream::Rest(const Completion& completion) {
  const Name name = {completion.ticket, completion.sample};
  const Sample& sample = Open(name);
  const TokenDelta of = {completion.ticket, completion.row, completion.sample, {}};
  v1::TokenDelta rest = Tell(of, absl::MakeConstSpan(completion.token_ids).subspan(sample.told),
                             sample.decoder.get());
  if (sample.decoder != nullptr) *rest.mutable_text() += sample.decoder->Finish();
  samples_.erase(name);
  if (rest.token_ids().empty() && rest.text().empty()) return std::nullopt;
  return rest;
}

}  // namespace trainyard::rollout
