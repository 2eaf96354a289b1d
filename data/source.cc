#include "data/source.h"

#include <algorithm>
#include <filesystem>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"

namespace trainyard::data {
namespace {

constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";

// Visits rows and keeps the account of the bad ones.
class RowVisitor {
 public:
  RowVisitor(const SourceSpec& spec, const std::function<absl::Status(const Row&)>& visit)
      : spec_(spec), visit_(visit) {}

  absl::Status VisitFile(const std::string& path, absl::string_view text) {
    if (spec_.format == SourceFormat::kTextPerFile) {
      return Visit(path, TextRow(text));
    }
    int64_t line_number = 0;
    while (!text.empty()) {
      ++line_number;
      const size_t end = std::min(text.find('\n'), text.size());
      absl::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (absl::StripAsciiWhitespace(line).empty()) continue;
      const bool jsonl = spec_.format == SourceFormat::kJsonl;
      TY_RETURN_IF_ERROR(Visit(absl::StrCat(path, ":", line_number),
                               jsonl ? ParseRow(line) : absl::StatusOr<Row>(TextRow(line))));
    }
    return absl::OkStatus();
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
    if (absl::EndsWith(path, ".jsonl")) return SourceFormat::kJsonl;
    if (absl::EndsWith(path, ".txt")) return SourceFormat::kTextPerLine;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("format \"", name, "\" of ", path,
                   " is unknown; give text (a document per file), lines, jsonl or shards"));
}

absl::StatusOr<SourceCounts> ReadRows(const SourceSpec& spec,
                                      const std::function<absl::Status(const Row&)>& visit) {
  if (spec.format == SourceFormat::kTokenShards) {
    return absl::InvalidArgumentError(
        absl::StrCat("source \"", spec.name, "\" holds token shards, but rows of text are wanted"));
  }
  RowVisitor visitor(spec, visit);
  for (const std::string& path : spec.paths) {
    TY_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
    absl::string_view text = file;
    if (absl::StartsWith(text, kByteOrderMark)) text.remove_prefix(sizeof(kByteOrderMark) - 1);
    TY_RETURN_IF_ERROR(visitor.VisitFile(path, text));
  }
  return visitor.TakeCounts();
}

}  // namespace trainyard::data
