// Clusters that `trainyard up` runs on this machine: where their roots are, so that other verbs can
// read artifacts without being told.

#ifndef TRAINYARD_CLI_LOCAL_CLUSTER_H_
#define TRAINYARD_CLI_LOCAL_CLUSTER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/roots.h"

namespace trainyard::cli {

// $XDG_STATE_HOME/trainyard, else ~/.local/state/trainyard.
std::string StateDirectory();

// Notes that the coordinator at `address` is of this machine and has these roots; forgets it.
absl::Status NoteLocalCluster(const std::string& address,
                              const std::map<std::string, std::string>& roots);
void ForgetLocalCluster(const std::string& address);

// NAME=DIRECTORY texts as a map. InvalidArgument or NotFound names the text.
absl::StatusOr<std::map<std::string, std::string>> ParseRoots(
    const std::vector<std::string>& texts);

// Roots of the cluster at `address`, when it is of this machine, with `given` (NAME=DIRECTORY)
// before them.
absl::StatusOr<Roots> RootsOf(const std::string& address, const std::vector<std::string>& given);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_LOCAL_CLUSTER_H_
