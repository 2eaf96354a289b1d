// Checks before a gang starts, without torch: what the job reads is there and whole, and there is
// room for what it writes.

#ifndef TRAINYARD_AGENT_PREFLIGHT_H_
#define TRAINYARD_AGENT_PREFLIGHT_H_

#include <cstdint>

#include "agent/core.h"
#include "base/roots.h"

namespace trainyard::agent {

// A job does not start with less free space than this in its run directory.
inline constexpr int64_t kLeastFreeBytes = int64_t{64} << 20;

// Reads files, blocks. Every file the spec names must exist beneath its root; a manifest must have
// the digest that was recorded for it, and its files their sizes and checksums (they are read
// whole); headers of safetensors files and the first line of JSONL files must parse. A problem is
// kUserError, or kDiskFull, and names the path; several are told at once.
PreflightReport Preflight(const PreflightOrder& order, const Roots& roots);

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_PREFLIGHT_H_
