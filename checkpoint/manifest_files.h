// Which files a directory's manifest vouches for, whatever kind of manifest it is.

#ifndef TRAINYARD_CHECKPOINT_MANIFEST_FILES_H_
#define TRAINYARD_CHECKPOINT_MANIFEST_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "checkpoint/safetensors.h"

namespace trainyard::checkpoint {

// The files that a manifest's text names, with sizes and checksums: a Manifest's (manifest.h), or
// those of token shards, whose manifest has a form of its own (data/token_shards.h).
// InvalidArgument names the document and the field.
absl::StatusOr<std::vector<FileRecord>> ManifestFiles(absl::string_view text,
                                                      absl::string_view document);

// Reads `directory`/manifest.json and every file that it names: DataLoss names the file whose size
// or checksum is another, or the manifest when its SHA-256 is not `manifest_sha256` (empty = not
// known). NotFound names a file that is missing.
absl::Status VerifyFiles(const std::string& directory, const std::string& manifest_sha256);

}  // namespace trainyard::checkpoint

#endif  // TRAINYARD_CHECKPOINT_MANIFEST_FILES_H_
