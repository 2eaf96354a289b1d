#ifndef TRAINYARD_BASE_VERSION_H_
#define TRAINYARD_BASE_VERSION_H_

namespace trainyard {

// Of every program; the same number as in CMakeLists.txt.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace trainyard

#endif  // TRAINYARD_BASE_VERSION_H_
