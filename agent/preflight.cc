#include "agent/preflight.h"

#include <google/protobuf/message.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/atomic_file.h"
#include "base/cause.h"
#include "base/json.h"
#include "base/line_reader.h"
#include "base/status.h"
#include "checkpoint/manifest.h"
#include "checkpoint/manifest_files.h"
#include "checkpoint/safetensors.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::agent {
namespace {

namespace fs = std::filesystem;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMostProblems = 5;

// A directory that an artifact reference stands for, with the digest it must have.
struct Input {
  std::string uri;
  std::string manifest_sha256;
  bool operator<(const Input& other) const { return uri < other.uri; }
};

// Every FileRef that is set, at any depth of the spec.
void CollectFiles(const Message& message, std::vector<v1::FileRef>* files) {
  if (const auto* file = dynamic_cast<const v1::FileRef*>(&message)) {
    if (file->source_case() != v1::FileRef::SOURCE_NOT_SET) files->push_back(*file);
    return;
  }
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated()) {
      CollectFiles(reflection.GetMessage(message, field), files);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      CollectFiles(reflection.GetRepeatedMessage(message, field, i), files);
    }
  }
}

absl::StatusOr<std::set<Input>> InputsOf(const v1::TaskAssignment& assignment) {
  std::vector<v1::FileRef> files;
  CollectFiles(assignment.spec(), &files);
  std::set<Input> inputs;
  for (const v1::FileRef& file : files) {
    if (file.source_case() == v1::FileRef::kUri) {
      inputs.insert({file.uri(), ""});
      continue;
    }
    const auto artifact = assignment.artifacts().find(file.artifact());
    if (artifact == assignment.artifacts().end()) {
      return absl::NotFoundError(
          absl::StrCat("artifact \"", file.artifact(), "\" is not resolved; did its job succeed?"));
    }
    inputs.insert({artifact->second.uri(), artifact->second.manifest_sha256()});
  }
  return inputs;
}

absl::Status CheckJsonl(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const auto lines, LineReader::Open(path));
  absl::string_view line;
  TY_ASSIGN_OR_RETURN(const bool found, lines->Next(&line));
  if (!found) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no line in it"));
  }
  return ParseJson(line, absl::StrCat(path, ":1")).status();
}

absl::Status CheckFile(const std::string& path) {
  if (access(path.c_str(), R_OK) != 0) return ErrnoStatus(errno, path);
  if (absl::EndsWith(path, ".safetensors")) {
    return checkpoint::SafetensorsFile::Open(path).status();
  }
  if (absl::EndsWith(WithoutCompression(path), ".jsonl")) return CheckJsonl(path);
  return absl::OkStatus();
}

absl::Status CheckInput(const Input& input, const Roots& roots) {
  TY_ASSIGN_OR_RETURN(const std::string path, roots.ResolveExisting(input.uri));
  std::error_code error;
  if (!fs::is_directory(path, error)) return CheckFile(path);
  const bool has_manifest = fs::exists(absl::StrCat(path, "/", checkpoint::kManifestFile), error);
  if (has_manifest || !input.manifest_sha256.empty()) {
    return checkpoint::VerifyFiles(path, input.manifest_sha256);
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (entry.is_regular_file(error)) TY_RETURN_IF_ERROR(CheckFile(entry.path().string()));
  }
  return error ? ErrnoStatus(error.value(), path) : absl::OkStatus();
}

absl::Status CheckRunDirectory(const std::string& uri, const Roots& roots) {
  TY_ASSIGN_OR_RETURN(const std::string wanted, roots.Resolve(uri));
  fs::path path(wanted);
  std::error_code error;
  while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot write to ", path.string(), " for ", uri));
  }
  struct statvfs space = {};
  if (statvfs(path.c_str(), &space) != 0) return ErrnoStatus(errno, path.string());
  const int64_t free_bytes = static_cast<int64_t>(space.f_bavail) * space.f_frsize;
  if (free_bytes < kLeastFreeBytes) {
    return DiskFullError(absl::StrCat(
        "only ", free_bytes >> 20, " MiB are free on the file system of ", wanted, " (", uri,
        "), a job needs at least ", kLeastFreeBytes >> 20, " MiB; free some space"));
  }
  return absl::OkStatus();
}

EndReason Problem(EndClass end_class, std::string message) {
  EndReason reason;
  reason.end_class = end_class;
  reason.message = std::move(message);
  reason.phase = "preflight";
  return reason;
}

}  // namespace

PreflightReport Preflight(const PreflightOrder& order, const Roots& roots) {
  PreflightReport report;
  report.job_id = order.job_id;
  report.epoch = order.epoch;
  v1::TaskAssignment assignment;
  if (!assignment.ParseFromString(order.assignment)) {
    report.problem = Problem(EndClass::kInternal, "the preflight's assignment does not parse");
    return report;
  }
  const absl::StatusOr<std::set<Input>> inputs = InputsOf(assignment);
  std::vector<std::string> problems;
  if (!inputs.ok()) problems.emplace_back(inputs.status().message());
  for (const Input& input : inputs.ok() ? *inputs : std::set<Input>()) {
    const absl::Status status = CheckInput(input, roots);
    if (!status.ok() && problems.size() < kMostProblems) {
      problems.emplace_back(status.message());
    }
  }
  const absl::Status room = assignment.run_uri().empty()
                                ? absl::OkStatus()
                                : CheckRunDirectory(assignment.run_uri(), roots);
  if (!problems.empty()) {
    report.problem = Problem(EndClass::kUserError, absl::StrJoin(problems, "; "));
  } else if (!room.ok()) {
    report.problem = Problem(CauseOf(room) == EndClass::kDiskFull ? EndClass::kDiskFull
                                                                 : EndClass::kUserError,
                             std::string(room.message()));
  } else {
    report.ok = true;
  }
  return report;
}

}  // namespace trainyard::agent
