// What this build calls itself.

#ifndef TRAINYARD_COORDINATOR_VERSION_H_
#define TRAINYARD_COORDINATOR_VERSION_H_

namespace trainyard::coordinator {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_VERSION_H_
