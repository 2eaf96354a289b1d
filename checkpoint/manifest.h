// The commit record of a checkpoint or an artifact: which files belong together, with size and
// checksum, and what else must be restored with them. A directory without a manifest is nothing.

#ifndef TRAINYARD_CHECKPOINT_MANIFEST_H_
#define TRAINYARD_CHECKPOINT_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "checkpoint/safetensors.h"

namespace trainyard::checkpoint {

inline constexpr char kManifestFile[] = "manifest.json";

// Serialised as canonical JSON (sorted keys, no spaces), so that its SHA-256 is its identity.
struct Manifest {
  std::string kind;               // "training", "ppo", "model", "tokenizer", "tokens", ...
  int64_t step = 0;               // optimizer step (training) or iteration (ppo)
  uint64_t epoch = 0;             // the job's right to act under which it was written
  std::string numerics_id;        // of the writers; empty where no numbers were computed
  std::string created_at;         // RFC 3339, for people only
  std::vector<FileRecord> files;  // sorted by path
  // Everything else by name: "cursor", "rng", "schedule", "versions", "tokenizer_sha256",
  // "bucket_layout", "ledger", ... The writer of a section is its reader.
  Json sections = Json::object();
};

// The bytes of manifest.json.
std::string SerializeManifest(const Manifest& manifest);

// InvalidArgument names the document, the field and the offence; a file path that is absolute or
// leaves the directory ("..") is one.
absl::StatusOr<Manifest> ParseManifest(absl::string_view text, absl::string_view document);

// The identity of a manifest: SHA-256 of its bytes, in hex.
std::string ManifestDigest(absl::string_view text);

// A section that must be there: FailedPrecondition names it otherwise.
absl::StatusOr<const Json*> FindSection(const Manifest& manifest, absl::string_view name);

}  // namespace trainyard::checkpoint

#endif  // TRAINYARD_CHECKPOINT_MANIFEST_H_
