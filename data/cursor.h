// Where a run stands in its data.

#ifndef TRAINYARD_DATA_CURSOR_H_
#define TRAINYARD_DATA_CURSOR_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace trainyard::data {

// Counts what optimizer steps consumed, never what was read ahead. The same on all ranks and at any
// world size.
struct DataCursor {
  int64_t step = 0;         // optimizer steps consumed
  int64_t pass = 0;         // over the mixture
  int64_t window = 0;       // of the pass: 1,024 samples of its order
  int64_t pack = 0;         // of the window
  std::string fingerprint;  // of the data and of everything that decides its order

  friend bool operator==(const DataCursor&, const DataCursor&) = default;
};

// One line of JSON for manifests, and back. InvalidArgument names `document` and the field.
std::string CursorToJson(const DataCursor& cursor);
absl::StatusOr<DataCursor> CursorFromJson(absl::string_view json, absl::string_view document);

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_CURSOR_H_
