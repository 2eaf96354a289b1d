#include "tests/data/fixture.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/atomic_file.h"
#include "base/random.h"
#include "tokenizer/byte_alphabet.h"

namespace trainyard::data {

DataTest::DataTest() {
  std::string pattern = ::testing::TempDir() + "/data_test_XXXXXX";
  directory_ = mkdtemp(pattern.data());
  tokenizer::TokenizerParts parts;
  for (const char* special : {"<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"}) {
    parts.added.push_back(
        {static_cast<tokenizer::TokenId>(parts.token_bytes.size()), special, true});
    parts.token_bytes.emplace_back();
  }
  for (const uint8_t byte : tokenizer::BytesInAlphabetOrder()) {
    parts.token_bytes.emplace_back(1, static_cast<char>(byte));
  }
  tokenizer_ = *tokenizer::Tokenizer::Create(std::move(parts));
  tokenizer::ChatTemplateSpec spec;
  spec.roles["user"] = {"<|user|>", ""};
  spec.roles["assistant"] = {"<|assistant|>", "<|end|>"};
  spec.end_of_turn = "<|end|>";
  template_ =
      std::make_unique<tokenizer::ChatTemplate>(*tokenizer::ChatTemplate::Bind(spec, *tokenizer_));
}

DataTest::~DataTest() { std::filesystem::remove_all(directory_); }

std::string DataTest::Write(const std::string& name, const std::string& text) const {
  const std::string path = absl::StrCat(directory_, "/", name);
  EXPECT_TRUE(WriteFileAtomically(path, text).ok());
  return path;
}

SourceSpec DataTest::Source(const std::string& name, const std::string& text,
                            SourceFormat format) const {
  SourceSpec spec;
  spec.name = name;
  spec.paths = {Write(name, text)};
  spec.format = format;
  return spec;
}

std::string DataTest::Text(const std::vector<int32_t>& ids) const {
  return tokenizer_->Decode(ids, tokenizer::SpecialTokens::kKeep);
}

std::string DataTest::ConversationRows(int count) {
  const CounterRandom random(11);
  std::string rows;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&rows, "{\"prompt\": \"p", i, std::string(random.Below(20, i), 'x'),
                    "\", \"response\": \"r", i, std::string(random.Below(20, i, 1), 'y'), "\"}\n");
  }
  return rows;
}

std::string DataTest::RatedRows(int count) {
  const CounterRandom random(12);
  std::string rows;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&rows, "{\"prompt\": \"p\", \"response\": \"r", i,
                    "\", \"score\": ", static_cast<int>(random.Below(9, i)) - 4, ", \"group\": \"",
                    std::string(1, static_cast<char>('a' + i % 3)), "\"}\n");
  }
  return rows;
}

std::string DataTest::DocumentLines(int count) {
  const CounterRandom random(13);
  std::string lines;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&lines, "doc", i, std::string(random.Below(30, i), 'z'), "\n");
  }
  return lines;
}

std::unique_ptr<Dataset> DataTest::Load(Objective objective, std::vector<SourceSpec> sources,
                                        int32_t max_tokens) const {
  DatasetSpec spec;
  spec.objective = objective;
  spec.sources = std::move(sources);
  spec.max_tokens = max_tokens;
  if (objective == Objective::kPretrain) spec.document_end_token = "<|end|>";
  auto dataset = Dataset::Load(spec, context());
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return dataset.ok() ? *std::move(dataset) : nullptr;
}

std::vector<std::string> SegmentKeys(const std::vector<MicroBatch>& batches) {
  std::vector<std::string> keys;
  for (const MicroBatch& batch : batches) {
    for (int64_t s = 0; s < batch.segment_count(); ++s) {
      keys.push_back(absl::StrJoin(batch.token_ids_N.begin() + batch.segment_offsets[s],
                                   batch.token_ids_N.begin() + batch.segment_offsets[s + 1], " "));
    }
  }
  return keys;
}

void ExpectWellFormed(const MicroBatch& batch) {
  const size_t tokens = batch.token_ids_N.size();
  ASSERT_EQ(batch.target_ids_N.size(), tokens);
  ASSERT_EQ(batch.loss_weights_N.size(), tokens);
  ASSERT_EQ(batch.positions_N.size(), tokens);
  ASSERT_EQ(batch.segment_offsets.front(), 0);
  ASSERT_EQ(batch.segment_offsets.back(), tokens);
  int64_t trained = 0;
  for (int64_t s = 0; s < batch.segment_count(); ++s) {
    ASSERT_LT(batch.segment_offsets[s], batch.segment_offsets[s + 1]);
    for (int32_t i = batch.segment_offsets[s]; i < batch.segment_offsets[s + 1]; ++i) {
      ASSERT_EQ(batch.positions_N[i], i - batch.segment_offsets[s]);
      trained += batch.loss_weights_N[i] != 0;
      if (batch.target_ids_N[i] == kNoTarget) {
        ASSERT_EQ(batch.loss_weights_N[i], 0);
      } else if (i + 1 < batch.segment_offsets[s + 1]) {
        ASSERT_EQ(batch.target_ids_N[i], batch.token_ids_N[i + 1]);
      }
    }
  }
  if (batch.groups.empty()) {
    ASSERT_EQ(batch.units, trained);
    return;
  }
  int64_t groups_with_pairs = 0;
  for (const RankedGroup& group : batch.groups) {
    ASSERT_EQ(group.segments.size(), group.scores.size());
    groups_with_pairs += !group.pairs.empty();
  }
  ASSERT_EQ(batch.units, groups_with_pairs);
}

}  // namespace trainyard::data
