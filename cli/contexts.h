// Named coordinators of a user, in ~/.config/trainyard/config.yaml:
//
//   current: lab
//   contexts:
//     lab: {coordinator: 10.0.0.1:7433}
//     here: {coordinator: 127.0.0.1:7433}

#ifndef TRAINYARD_CLI_CONTEXTS_H_
#define TRAINYARD_CLI_CONTEXTS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trainyard::cli {

inline constexpr char kDefaultCoordinator[] = "127.0.0.1:7433";

struct Contexts {
  std::string current;
  std::map<std::string, std::string> coordinators;  // name -> host:port
};

// Path of the file: $XDG_CONFIG_HOME/trainyard/config.yaml, else under $HOME/.config.
std::string ContextsPath();

// An empty set when the file does not exist. InvalidArgument names file and line.
absl::StatusOr<Contexts> ReadContexts(const std::string& path);
absl::Status WriteContexts(const Contexts& contexts, const std::string& path);

// The address to talk to: `address` when given, else that of the context `name`, else the current
// context's, else kDefaultCoordinator. NotFound names the context and the known ones.
absl::StatusOr<std::string> ChooseCoordinator(const std::string& address, const std::string& name,
                                              const Contexts& contexts);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_CONTEXTS_H_
