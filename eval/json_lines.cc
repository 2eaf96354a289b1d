#include "eval/json_lines.h"

#include "absl/strings/ascii.h"
#include "base/line_reader.h"
#include "base/status.h"

namespace trainyard::eval {

absl::Status ForEachJsonLine(const std::string& path, const VisitJsonLine& visit) {
  TY_ASSIGN_OR_RETURN(const auto lines, LineReader::Open(path));
  while (true) {
    absl::string_view line;
    TY_ASSIGN_OR_RETURN(const bool more, lines->Next(&line));
    if (!more) return absl::OkStatus();
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    TY_ASSIGN_OR_RETURN(const Json row, ParseJson(line, lines->place()));
    TY_RETURN_IF_ERROR(visit(JsonReader(row, lines->place()), lines->place()));
  }
}

}  // namespace trainyard::eval
