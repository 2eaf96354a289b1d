#include "eval/json_lines.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace trainyard::eval {

absl::Status ForEachJsonLine(absl::string_view text, const std::string& path,
                             const VisitJsonLine& visit) {
  int line_number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const std::string place = absl::StrCat(path, ":", line_number);
    TY_ASSIGN_OR_RETURN(const Json row, ParseJson(line, place));
    TY_RETURN_IF_ERROR(visit(JsonReader(row, place), place));
  }
  return absl::OkStatus();
}

}  // namespace trainyard::eval
