#include "data/source.h"

#include <filesystem>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/input_file.h"
#include "base/line_reader.h"
#include "base/status.h"

namespace trainyard::data {
namespace {

// Visits rows and keeps the account of the bad ones.
class RowVisitor {
 public:
  RowVisitor(const SourceSpec& spec, const std::function<absl::Status(const Row&)>& visit)
      : spec_(spec), visit_(visit) {}

  absl::Status VisitFile(const std::string& path) {
    if (spec_.format == SourceFormat::kTextPerFile) {
      TY_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
      return Visit(path, TextRow(text));
    }
    TY_ASSIGN_OR_RETURN(const auto lines, LineReader::Open(path));
    const bool jsonl = spec_.format == SourceFormat::kJsonl;
    while (true) {
      absl::string_view line;
      TY_ASSIGN_OR_RETURN(const bool more, lines->Next(&line));
      if (!more) return absl::OkStatus();
      absl::ConsumeSuffix(&line, "\r");
      if (absl::StripAsciiWhitespace(line).empty()) continue;
      TY_RETURN_IF_ERROR(Visit(lines->place(),
                               jsonl ? ParseRow(line) : absl::StatusOr<Row>(TextRow(line))));
    }
  }

  SourceCounts TakeCounts() { return std::move(counts_); }

 private:
  static Row TextRow(absl::string_view text) {
    Row row;
    row.text = std::string(text);
    row.fields["text"] = *row.text;
    return row;
  }

  absl::Status Visit(const std::string& place, const absl::StatusOr<Row>& row) {
    absl::Status status = row.status();
    if (status.ok()) {
      if (!spec_.groups.empty() && !absl::c_linear_search(spec_.groups, row->group)) {
        return absl::OkStatus();
      }
      status = visit_(*row);
    }
    ++counts_.rows;
    if (status.ok()) return status;
    ++counts_.bad_rows;
    status = Annotate(status, place);
    if (counts_.bad_rows == 1) counts_.first_bad_row = std::string(status.message());
    if (counts_.bad_rows <= spec_.max_bad_rows) return absl::OkStatus();
    if (spec_.max_bad_rows == 0) return status;
    return Annotate(status, absl::StrCat("more than max_bad_rows = ", spec_.max_bad_rows,
                                         " bad rows, the last of them"));
  }

  const SourceSpec& spec_;
  const std::function<absl::Status(const Row&)>& visit_;
  SourceCounts counts_;
};

}  // namespace

absl::StatusOr<SourceFormat> ResolveSourceFormat(absl::string_view name, const std::string& path) {
  if (name == "text") return SourceFormat::kTextPerFile;
  if (name == "lines") return SourceFormat::kTextPerLine;
  if (name == "jsonl") return SourceFormat::kJsonl;
  if (name == "shards") return SourceFormat::kTokenShards;
  if (name.empty()) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return SourceFormat::kTokenShards;
    const absl::string_view text = WithoutCompression(path);
    if (absl::EndsWith(text, ".jsonl")) return SourceFormat::kJsonl;
    if (absl::EndsWith(text, ".txt")) return SourceFormat::kTextPerLine;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("format \"", name, "\" of ", path,
                   " is unknown; give text (a document per file), lines, jsonl or shards, or "
                   "a file *.txt or *.jsonl, plain or with .gz or .zst after that"));
}

absl::StatusOr<SourceCounts> ReadRows(const SourceSpec& spec,
                                      const std::function<absl::Status(const Row&)>& visit) {
  if (spec.format == SourceFormat::kTokenShards) {
    return absl::InvalidArgumentError(
        absl::StrCat("source \"", spec.name, "\" holds token shards, but rows of text are wanted"));
  }
  RowVisitor visitor(spec, visit);
  for (const std::string& path : spec.paths) {
    TY_RETURN_IF_ERROR(visitor.VisitFile(path));
  }
  return visitor.TakeCounts();
}

}  // namespace trainyard::data
