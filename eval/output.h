// Where a job writes, and how a directory becomes its output.

#ifndef TRAINYARD_EVAL_OUTPUT_H_
#define TRAINYARD_EVAL_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "task/assignment.h"

namespace trainyard::eval {

struct RunPlace {
  std::string job_id;
  std::string uri;        // root://... of the run
  std::string directory;  // the same, here
  uint64_t epoch = 0;     // this attempt writes beneath <run>/e<epoch>/ only
};

// Without a coordinator every start takes the first epoch that has no directory yet.
absl::StatusOr<RunPlace> PlaceOf(const task::Assignment& assignment);

struct OutputFile {
  std::string artifact;  // "answers", "report": its directory is <run>/e<epoch>/<artifact>/
  std::string type;      // as artifact.proto: "jsonl", "report"
  std::string file_name;
  std::string bytes;
};

// Another file in the directory of an output.
struct FileBeside {
  std::string file_name;
  std::string bytes;
};

// Writes the files of an output and their manifest: from then on it is an artifact. `sections` go
// into the manifest. AlreadyExists when this epoch has written it.
absl::StatusOr<task::Artifact> WriteOutput(const RunPlace& place, const OutputFile& output,
                                           const Json& sections,
                                           const std::vector<FileBeside>& beside = {});

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_OUTPUT_H_
