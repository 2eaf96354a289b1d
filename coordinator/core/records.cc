#include "coordinator/core/records.h"

namespace trainyard::coordinator {

absl::string_view EndClassName(EndClass end_class) {
  switch (end_class) {
    case EndClass::kUnspecified: return "UNSPECIFIED";
    case EndClass::kSucceeded: return "SUCCEEDED";
    case EndClass::kUserError: return "USER_ERROR";
    case EndClass::kNan: return "NAN";
    case EndClass::kDeviceError: return "DEVICE_ERROR";
    case EndClass::kDiskFull: return "DISK_FULL";
    case EndClass::kOutOfMemory: return "OUT_OF_MEMORY";
    case EndClass::kSignal: return "SIGNAL";
    case EndClass::kNodeLost: return "NODE_LOST";
    case EndClass::kHang: return "HANG";
    case EndClass::kPeerLost: return "PEER_LOST";
    case EndClass::kInternal: return "INTERNAL";
    case EndClass::kCancelled: return "CANCELLED";
    case EndClass::kUpstream: return "UPSTREAM";
    case EndClass::kDrained: return "DRAINED";
    case EndClass::kDeadline: return "DEADLINE";
  }
  return "UNKNOWN";
}

}  // namespace trainyard::coordinator
