// The prompts of PPO and of generation, in an order that is drawn by seed.

#ifndef TRAINYARD_DATA_PROMPT_SOURCE_H_
#define TRAINYARD_DATA_PROMPT_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "data/dataset.h"
#include "data/source.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::data {

struct PromptSpec {
  std::vector<SourceSpec> sources;  // {"prompt"} or {"messages"}; shares are not for prompts
  uint64_t seed = 0;
  int32_t max_tokens = 512;  // of the rendered prompt
  TooLong too_long = TooLong::kDrop;
  bool shuffle = true;  // false: in the order of the files
};

struct Prompt {
  int64_t row = 0;                 // its number over all sources, from 0: an id that never changes
  std::vector<int32_t> token_ids;  // template and text, the assistant's prefix last
  std::string text;                // of the last user message
  std::string json;  // the row as it stands in the file: reference answers and the like
};

// Guarded: immutable after Load, but for the permutation of the pass that was asked for last.
class PromptSource {
 public:
  // `chat_template` may be null: then a prompt is its text's tokens alone. Errors as Dataset::Load.
  static absl::StatusOr<std::unique_ptr<PromptSource>> Load(
      const PromptSpec& spec, const tokenizer::Tokenizer& tokenizer,
      const tokenizer::ChatTemplate* chat_template);

  // The prompt at `position` of the endless order: pass position / count(), each pass reshuffled.
  // A pure function of (spec, files, position): the cursor is a position.
  const Prompt& At(int64_t position) const;

  // The prompt with this row number, or null when it is none of ours (dropped, or out of range).
  const Prompt* FindRow(int64_t row) const;
  int64_t count() const { return static_cast<int64_t>(prompts_.size()); }
  int64_t dropped_too_long() const { return dropped_too_long_; }
  int64_t bad_rows() const { return bad_rows_; }
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  PromptSource() = default;

  PromptSpec spec_;
  std::vector<Prompt> prompts_;
  int64_t dropped_too_long_ = 0;
  int64_t bad_rows_ = 0;
  std::string fingerprint_;
  mutable absl::Mutex mutex_;
  mutable int64_t pass_ ABSL_GUARDED_BY(mutex_) = -1;
  mutable std::vector<uint64_t> permutation_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_PROMPT_SOURCE_H_
