// Artifacts as users name them, found and copied.

#ifndef TRAINYARD_CLI_ARTIFACT_COPY_H_
#define TRAINYARD_CLI_ARTIFACT_COPY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/roots.h"
#include "cli/client.h"
#include "trainyard/v1/artifact.pb.h"

namespace trainyard::cli {

// A file as a flag names it: root://NAME/path, or JOB/OUTPUT of another job (the wire's
// jobs/JOB/OUTPUT).
v1::FileRef FileRefOf(const std::string& text);

// The output that `text` names: JOB/OUTPUT (jobs/JOB/OUTPUT too), PIPELINE/STAGE/OUTPUT, or JOB
// alone when it has one output. NotFound names what there is.
absl::StatusOr<v1::Artifact> FindArtifact(Client& client, const std::string& text);

// FileRefOf, and PIPELINE/STAGE/OUTPUT: the stage's job is asked for. Errors of FindArtifact.
absl::StatusOr<v1::FileRef> FindFile(Client& client, const std::string& text);

// Copies the artifact's directory to `destination`, which must not exist or be empty. Every byte is
// verified: the manifest against the recorded digest, the copies against the manifest. DataLoss
// names the file that does not match; nothing is left then.
absl::Status CopyArtifact(const v1::Artifact& artifact, const Roots& roots,
                          const std::string& destination);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_ARTIFACT_COPY_H_
