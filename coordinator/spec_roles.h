// Which roles a job of each kind has, which program plays each, and what it gets by default.

#ifndef TRAINYARD_COORDINATOR_SPEC_ROLES_H_
#define TRAINYARD_COORDINATOR_SPEC_ROLES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::coordinator {

struct RoleRule {
  std::string name;
  std::string binary;
  // Processes when the spec does not say; 0 = the role is only there when the spec names it.
  int default_count = 1;
  // The only count there is; 0 = any.
  int fixed_count = 0;
  // Restarts singly and follows `scale`.
  bool elastic = false;
  int64_t cpu_milli = 1000;
};

// The roles of this spec's kind, in the order in which they are shown. Empty without a kind.
std::vector<RoleRule> RoleRulesOf(const v1::JobSpec& spec);

// Program of one role of a kind ("ppo", "rollout"); empty when there is no such role.
std::string BinaryOf(absl::string_view kind, absl::string_view role);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SPEC_ROLES_H_
