// Small data sets for the tests of data/.

#ifndef TRAINYARD_TESTS_DATA_FIXTURE_H_
#define TRAINYARD_TESTS_DATA_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "data/batch_builder.h"
#include "data/dataset.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::data {

// A tokenizer with <|pad|> <|user|> <|assistant|> <|end|> as ids 0 .. 3 and one id per byte (4 +
// its place in GPT-2's alphabet), a template of role tags, and a scratch directory.
class DataTest : public ::testing::Test {
 protected:
  static constexpr int32_t kPad = 0, kUser = 1, kAssistant = 2, kEnd = 3;

  DataTest();
  ~DataTest() override;

  // Writes a file into the scratch directory; its path.
  std::string Write(const std::string& name, const std::string& text) const;
  SourceSpec Source(const std::string& name, const std::string& text,
                    SourceFormat format = SourceFormat::kJsonl) const;
  DatasetContext context() const { return {tokenizer_.get(), &*template_}; }
  std::string Text(const std::vector<int32_t>& ids) const;

  // Rows with prompts and responses of lengths 1 .. 40, all different.
  static std::string ConversationRows(int count);
  // Rated rows in groups "a", "b", "c".
  static std::string RatedRows(int count);
  // Lines of words.
  static std::string DocumentLines(int count);

  std::unique_ptr<Dataset> Load(Objective objective, std::vector<SourceSpec> sources,
                                int32_t max_tokens) const;

  std::string directory_;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::unique_ptr<tokenizer::ChatTemplate> template_;
};

// The segments of some micro-batches as text-like keys: their ids joined by spaces.
std::vector<std::string> SegmentKeys(const std::vector<MicroBatch>& batches);

// What every micro-batch must satisfy.
void ExpectWellFormed(const MicroBatch& batch);

}  // namespace trainyard::data

#endif  // TRAINYARD_TESTS_DATA_FIXTURE_H_
