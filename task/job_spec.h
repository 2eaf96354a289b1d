// From an assignment to the protobuf spec of its job and the files that it names. Inside of the
// *_spec.cc files only: beyond them there are plain structs.

#ifndef TRAINYARD_TASK_JOB_SPEC_H_
#define TRAINYARD_TASK_JOB_SPEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "task/assignment.h"
#include "trainyard/v1/artifact.pb.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::task {

// InvalidArgument: the bytes are not a JobSpec.
absl::StatusOr<v1::JobSpec> JobSpecOf(const Assignment& assignment);

// What a reference names, on this machine.
struct FilePlace {
  std::string path;             // a file, or an artifact's directory
  std::string manifest_sha256;  // of an artifact; empty for a plain file
};

// `what` is the field in errors. InvalidArgument: no reference is given; NotFound and
// PermissionDenied: the file, or an artifact that the assignment does not resolve.
absl::StatusOr<FilePlace> LocateFile(const v1::FileRef& file, absl::string_view what,
                                     const Assignment& assignment);

// Its path alone.
absl::StatusOr<std::string> ResolveFile(const v1::FileRef& file, absl::string_view what,
                                        const Assignment& assignment);

// The directory of a tokenizer, which may also be given as its file tokenizer.json. Where none is
// named, `model`'s: a model directory holds its tokenizer.
absl::StatusOr<std::string> ResolveTokenizer(const v1::FileRef& file, const v1::FileRef& model,
                                             absl::string_view what, const Assignment& assignment);

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_JOB_SPEC_H_
