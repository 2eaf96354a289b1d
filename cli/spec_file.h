// A spec file of the user: one job, or a pipeline of jobs, as YAML.

#ifndef TRAINYARD_CLI_SPEC_FILE_H_
#define TRAINYARD_CLI_SPEC_FILE_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::cli {

// A document with a top-level `stages` is a pipeline, any other a job.
using Spec = std::variant<v1::JobSpec, v1::PipelineSpec>;

// Parses `text`, which came from `file`, after applying `overrides` ("path.to.field=value") in
// order. InvalidArgument lists every problem with file and line (cli/yaml_message.h). Only the form
// is checked here; what the values mean is checked by the coordinator.
absl::StatusOr<Spec> ParseSpec(const std::string& text, const std::string& file,
                               const std::vector<std::string>& overrides);

// The same from a file. NotFound names it.
absl::StatusOr<Spec> ReadSpecFile(const std::string& file,
                                  const std::vector<std::string>& overrides);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_SPEC_FILE_H_
