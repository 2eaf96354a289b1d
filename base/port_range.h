// Which TCP ports a process may serve on: what a firewall lets through.

#ifndef TRAINYARD_BASE_PORT_RANGE_H_
#define TRAINYARD_BASE_PORT_RANGE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// Ports `first` to `last`, both included. {0, 0}: any free one.
struct PortRange {
  int first = 0;
  int last = 0;
};

// "FIRST-LAST", 1 to 65535; "" and "0" are any free port, "N" is that one. InvalidArgument names
// the text.
absl::StatusOr<PortRange> ParsePortRange(absl::string_view text);

}  // namespace trainyard

#endif  // TRAINYARD_BASE_PORT_RANGE_H_
