// Checkpoints of one run on disk: <run>/e<epoch>/step-<n>/, many files and one manifest, last.
// What counts as committed is decided by the coordinator's rows (digests), never by this listing.

#ifndef TRAINYARD_CHECKPOINT_STORE_H_
#define TRAINYARD_CHECKPOINT_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "checkpoint/manifest.h"

namespace trainyard::checkpoint {

// Where a checkpoint is and which manifest it must have.
struct Candidate {
  std::string directory;
  std::string manifest_sha256;  // empty: any (a model given by path)
};

struct Loaded {
  Candidate candidate;
  Manifest manifest;
  std::vector<std::string>
      skipped;  // one sentence for each candidate that was passed over, and why
};

// "<run>/e<epoch>/step-<n>", the number zero-padded to 8 digits so that names sort.
std::string StepDirectory(const std::string& run_directory, uint64_t epoch, int64_t step);

// Makes a step directory for writing; several ranks may call it at the same time. AlreadyExists
// when a manifest is in it: nothing committed is ever overwritten.
absl::Status BeginCheckpoint(const std::string& directory);

// Writes `bytes` as a new file of the directory, fsynced. AlreadyExists when it is there.
absl::StatusOr<FileRecord> WriteCheckpointFile(const std::string& directory,
                                               const std::string& name, absl::string_view bytes);

// Size and checksum of a file that is there already (a tokenizer that was copied in), fsynced.
absl::StatusOr<FileRecord> RecordFile(const std::string& directory, const std::string& name);

// Writes the manifest (temporary file, fsync, rename, fsync of the directory) and returns its
// digest. FailedPrecondition when a listed file is missing or has another size; AlreadyExists when
// there is a manifest with other bytes (the same bytes again are OK).
absl::StatusOr<std::string> CommitManifest(const std::string& directory, Manifest manifest);

// Reads the manifest of a directory and, when a digest is given, checks it. DataLoss on another
// digest. Files are not read.
absl::StatusOr<Manifest> ReadManifest(const Candidate& candidate);

// Reads every byte that the manifest lists. DataLoss names the file with the wrong size or
// checksum.
absl::Status VerifyFiles(const std::string& directory, const Manifest& manifest);

// The first candidate, in the order given (newest first), that reads and verifies. NotFound when
// there is none, with every reason.
absl::StatusOr<Loaded> LoadFirstGood(absl::Span<const Candidate> candidates);

// Directories of the run that hold a manifest, newest first: by step, then epoch. Missing run
// directory: empty.
absl::StatusOr<std::vector<std::string>> ListCheckpoints(const std::string& run_directory);

// Which checkpoints stay. A directory in `keep_directories` always does (the best by a metric).
struct Retention {
  int64_t keep_last = 3;
  int64_t keep_every_steps = 0;  // 0: none on this ground
  std::vector<std::string> keep_directories;
};

// The directories that `retention` gives up, oldest first. Pure: `directories` as ListCheckpoints
// gives them.
std::vector<std::string> Expendable(absl::Span<const std::string> directories,
                                    const Retention& retention);

// Removes a checkpoint: manifest first, so that a torn removal is no checkpoint.
absl::Status RemoveCheckpoint(const std::string& directory);

}  // namespace trainyard::checkpoint

#endif  // TRAINYARD_CHECKPOINT_STORE_H_
