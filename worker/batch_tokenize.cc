#include "worker/batch_tokenize.h"

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/status.h"
#include "checkpoint/manifest.h"
#include "data/token_shards.h"
#include "worker/tokenizer_files.h"

namespace trainyard::worker {
namespace {

constexpr absl::Duration kCoordinatorTimeout = absl::Minutes(10);

int64_t SizeBytes(const std::string& directory) {
  int64_t size_bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_regular_file(error)) size_bytes += static_cast<int64_t>(entry.file_size(error));
  }
  return size_bytes;
}

}  // namespace

absl::Status RunTokenizeJob(const TokenizeJob& job, const RunPlace& place,
                            task::TaskSession* session) {
  task::Progress progress;
  progress.phase = "train";
  session->Report(progress);
  TY_ASSIGN_OR_RETURN(const TokenizerFiles files, OpenTokenizer(job.tokenizer_directory));
  TY_ASSIGN_OR_RETURN(const Output output, BeginOutput(place, "tokens", "token_shards"));
  data::TokenShardsOptions options;
  options.directory = output.directory;
  options.shard_tokens = job.shard_tokens;
  options.threads = job.threads;
  TY_ASSIGN_OR_RETURN(const data::TokenShardsCounts counts,
                      data::WriteTokenShards(job.sources, *files.tokenizer, options));
  Log().info("{} documents, {} tokens, {} bad rows in {}", counts.documents, counts.tokens,
             counts.bad_rows, output.directory);
  // The shards' manifest is the artifact's.
  TY_ASSIGN_OR_RETURN(
      const std::string digest,
      FileSha256Hex(absl::StrCat(output.directory, "/", checkpoint::kManifestFile)));
  const task::Artifact artifact =
      ArtifactOf(place, output, digest, SizeBytes(output.directory));
  return session->FinishJob({artifact}, kCoordinatorTimeout);
}

}  // namespace trainyard::worker
