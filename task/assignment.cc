#include "task/assignment.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "task/wire.h"

namespace trainyard::task {

std::string Assignment::TaskName() const { return absl::StrCat(role, "/", index); }

std::string Assignment::ListenAddress() const {
  const bool loopback = advertise.empty() || advertise == "localhost" || advertise == "::1" ||
                        absl::StartsWith(advertise, "127.");
  return absl::StrCat(loopback ? "127.0.0.1:" : "0.0.0.0:", task_ports.empty() ? "0" : task_ports);
}

absl::StatusOr<Assignment> ParseAssignment(absl::string_view bytes) {
  v1::TaskAssignment wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("not a serialised trainyard.v1.TaskAssignment");
  }
  Assignment assignment = FromWire(wire);
  const auto missing = [](absl::string_view field) {
    return absl::InvalidArgumentError(absl::StrCat("the assignment has no ", field));
  };
  if (assignment.job_id.empty()) return missing("job_id");
  if (assignment.epoch == 0) return missing("epoch");
  if (assignment.task_uid == 0) return missing("task_uid");
  if (assignment.secret.empty()) return missing("secret");
  if (assignment.role.empty()) return missing("role");
  return assignment;
}

absl::StatusOr<Assignment> LoadAssignment(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  absl::StatusOr<Assignment> assignment = ParseAssignment(bytes);
  if (!assignment.ok()) return Annotate(assignment.status(), path);
  return assignment;
}

}  // namespace trainyard::task
