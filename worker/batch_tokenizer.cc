#include "worker/batch_tokenizer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "data/source.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::worker {
namespace {

constexpr absl::Duration kCoordinatorTimeout = absl::Minutes(10);
constexpr int64_t kRowsPerReport = 10'000;

absl::Status CheckSpecial(const TokenizerJob& job, absl::string_view field,
                          const std::string& token) {
  const std::vector<std::string>& specials = job.special_tokens;
  if (token.empty() || std::find(specials.begin(), specials.end(), token) != specials.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("tokenizer.", field, " is \"", token,
                                                 "\", must be one of special_tokens (",
                                                 absl::StrJoin(specials, ", "), ")"));
}

// Everything that a row says: what a model of it will have to write.
absl::Status Feed(const data::Row& row, tokenizer::BpeTrainer* trainer) {
  if (row.text.has_value()) trainer->Feed(*row.text);
  for (const tokenizer::ChatMessage& message : row.messages) trainer->Feed(message.content);
  if (row.response.has_value()) trainer->Feed(*row.response);
  for (const data::RankedAnswer& answer : row.answers) trainer->Feed(answer.text);
  return absl::OkStatus();
}

absl::Status FeedAll(const TokenizerJob& job, task::TaskSession* session,
                     tokenizer::BpeTrainer* trainer) {
  task::Progress progress;
  progress.phase = "train";
  const auto visit = [&](const data::Row& row) -> absl::Status {
    if (++progress.step % kRowsPerReport == 0) session->Report(progress);
    return Feed(row, trainer);
  };
  for (const data::SourceSpec& source : job.sources) {
    TY_ASSIGN_OR_RETURN(const data::SourceCounts counts, data::ReadRows(source, visit));
    Log().info("{}: {} rows, {} bad", source.name, counts.rows, counts.bad_rows);
    if (session->StopRequested().has_value()) return absl::CancelledError("stop was ordered");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunTokenizerJob(const TokenizerJob& job, const RunPlace& place,
                             task::TaskSession* session) {
  TY_RETURN_IF_ERROR(CheckSpecial(job, "end_of_text", job.end_of_text));
  TY_RETURN_IF_ERROR(CheckSpecial(job, "pad", job.pad));
  tokenizer::BpeTrainerOptions options;
  options.vocabulary_size = job.vocab_size;
  options.special_tokens = job.special_tokens;
  options.min_frequency = job.min_frequency;
  TY_ASSIGN_OR_RETURN(const auto trainer, tokenizer::BpeTrainer::Create(options));
  TY_RETURN_IF_ERROR(FeedAll(job, session, trainer.get()));
  TY_ASSIGN_OR_RETURN(tokenizer::TokenizerParts parts, trainer->Finish());
  TY_ASSIGN_OR_RETURN(const auto trained, tokenizer::Tokenizer::Create(std::move(parts)));

  TY_ASSIGN_OR_RETURN(const Output output, BeginOutput(place, "tokenizer", "tokenizer"));
  tokenizer::TokenizerConfig config;
  config.end_token = job.end_of_text;
  config.pad_token = job.pad;
  TY_RETURN_IF_ERROR(tokenizer::SaveTokenizer(*trained, config, output.directory));
  std::vector<checkpoint::FileRecord> files;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    TY_ASSIGN_OR_RETURN(files.emplace_back(), checkpoint::RecordFile(output.directory, name));
  }
  const Json sections = {{"vocabulary_size", trained->vocabulary_size()},
                         {"tokenizer_hash", trained->hash()}};
  TY_ASSIGN_OR_RETURN(const task::Artifact artifact, CommitOutput(place, output, files, sections));
  Log().info("tokenizer of {} ids in {}", trained->vocabulary_size(), output.directory);
  return session->FinishJob({artifact}, kCoordinatorTimeout);
}

}  // namespace trainyard::worker
