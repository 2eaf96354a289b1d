// Files of JSON lines that eval brings along: lexicons and labelled texts.

#ifndef TRAINYARD_EVAL_JSON_LINES_H_
#define TRAINYARD_EVAL_JSON_LINES_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "base/json.h"

namespace trainyard::eval {

// `place` is "path:line", for errors.
using VisitJsonLine = std::function<absl::Status(const JsonReader& row, const std::string& place)>;

// Calls `visit` for the object of each line of the file (plain, .gz or .zst) that is not empty. The
// first error ends it; InvalidArgument names `path` and line; errors of base/line_reader.h.
absl::Status ForEachJsonLine(const std::string& path, const VisitJsonLine& visit);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_JSON_LINES_H_
