// The tokenized samples of a job, and its report of what was read, dropped and refused.

#ifndef TRAINYARD_DATA_DATASET_H_
#define TRAINYARD_DATA_DATASET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/samples.h"
#include "data/source.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::data {

enum class Objective {
  kPretrain,     // documents; every token is learnt
  kSft,          // conversations; the assistant's tokens and its end of turn are learnt
  kRewardModel,  // rated or ranked answers
};

enum class TooLong { kDrop, kRefuse };

struct DatasetSpec {
  Objective objective = Objective::kPretrain;
  std::vector<SourceSpec> sources;
  uint64_t seed = 0;
  int32_t max_tokens = 1024;  // of a sample (pretraining: of a window)
  int32_t max_answer_tokens =
      0;  // SFT and reward models: the trained tokens with their end; 0: any
  TooLong too_long = TooLong::kDrop;
  // Pretraining: this added token follows every document.
  std::string document_end_token;
};

// What stands behind the samples. All outlive the data set.
struct DatasetContext {
  const tokenizer::Tokenizer* tokenizer = nullptr;
  const tokenizer::ChatTemplate* chat_template = nullptr;  // not needed for pretraining
  int threads = 1;  // that encode documents; the samples do not depend on it
};

struct SourceReport {
  std::string name;
  SourceCounts counts;
  int64_t samples = 0;
  int64_t tokens = 0;
  int64_t trained_tokens = 0;
  int64_t dropped_too_long = 0;
};

// A ranked answer list of a data file: members of one group, always together.
struct FixedGroup {
  std::vector<int64_t> samples;
  std::vector<float> scores;
};

// The rated samples of one group name, from which groups are drawn.
struct RatedPool {
  std::string name;
  std::vector<int64_t> samples;
  std::vector<float> scores;
};

// Immutable after Load, thread-safe.
class Dataset {
 public:
  // Reads and tokenizes everything (token shards stay on disk). InvalidArgument: errors of
  // ReadRows; a row that does not fit the objective; a sample over max_tokens with
  // TooLong::kRefuse; no sample left; SFT data in which no trained token is an end of turn.
  static absl::StatusOr<std::unique_ptr<Dataset>> Load(const DatasetSpec& spec,
                                                       const DatasetContext& context);

  const DatasetSpec& spec() const { return spec_; }
  int64_t source_count() const { return static_cast<int64_t>(sources_.size()); }
  const SourceSamples& source(int64_t index) const { return *sources_[index].samples; }
  const std::vector<FixedGroup>& fixed_groups(int64_t source) const {
    return sources_[source].fixed_groups;
  }
  const std::vector<RatedPool>& pools(int64_t source) const { return sources_[source].pools; }
  const std::vector<SourceReport>& reports() const { return reports_; }
  int32_t document_end_id() const { return document_end_id_; }
  // Text bytes that each id stands for; special tokens count 0.
  const std::vector<int32_t>& bytes_of_id() const { return bytes_of_id_; }

  // XXH3 (hex) of every sample's tokens and flags, of names and shares, and of the tokenizer's and
  // template's hashes.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct Source {
    std::unique_ptr<SourceSamples> samples;
    std::vector<FixedGroup> fixed_groups;
    std::vector<RatedPool> pools;
  };
  Dataset() = default;
  // Whether a trained token of the source is an end of turn.
  absl::StatusOr<bool> LoadSource(const SourceSpec& source, const DatasetContext& context);
  void SetFingerprint(const DatasetContext& context);

  DatasetSpec spec_;
  std::vector<Source> sources_;
  std::vector<SourceReport> reports_;
  std::vector<int32_t> bytes_of_id_;
  int32_t document_end_id_ = -1;
  std::string fingerprint_;
};

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_DATASET_H_
