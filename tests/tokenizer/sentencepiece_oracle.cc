#include "tests/tokenizer/sentencepiece_oracle.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdlib>
#include <memory>

namespace trainyard::testing {
namespace {

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& lines) : lines_(lines) {}
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  size_t at_ = 0;
};

std::unique_ptr<sentencepiece::SentencePieceProcessor> Loaded(const std::string& model) {
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  if (!processor->LoadFromSerializedProto(model).ok()) std::abort();
  return processor;
}

}  // namespace

std::string TrainSentencePiece(const std::vector<std::string>& lines, const std::string& flags) {
  Lines iterator(lines);
  std::string model;
  if (!sentencepiece::SentencePieceTrainer::Train(flags, &iterator, &model).ok()) std::abort();
  return model;
}

std::vector<int> EncodeWithSentencePiece(const std::string& model, const std::string& text) {
  return Loaded(model)->EncodeAsIds(text);
}

std::string DecodeWithSentencePiece(const std::string& model, const std::vector<int>& ids) {
  return Loaded(model)->DecodeIds(ids);
}

}  // namespace trainyard::testing
