#include "data/source.h"

#include <filesystem>
#include <utility>
#include <vector>

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

constexpr size_t kBatchBytes = size_t{4} << 20;  // of rows that are encoded at once

// The account of rows, good and bad.
class RowAccount {
 public:
  explicit RowAccount(const SourceSpec& spec) : spec_(spec) {}

  // An error when this was one bad row too many.
  absl::Status Add(const std::string& place, absl::Status status) {
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

  SourceCounts TakeCounts() { return std::move(counts_); }

 private:
  const SourceSpec& spec_;
  SourceCounts counts_;
};

// A row with its file and line, or why there is none.
using VisitPlace = std::function<absl::Status(const std::string& place, absl::StatusOr<Row> row)>;

Row TextRow(absl::string_view text) {
  Row row;
  row.text = std::string(text);
  row.fields["text"] = *row.text;
  return row;
}

absl::Status VisitFile(const SourceSpec& spec, const std::string& path, const VisitPlace& visit) {
  if (spec.format == SourceFormat::kTextPerFile) {
    TY_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
    return visit(path, TextRow(text));
  }
  TY_ASSIGN_OR_RETURN(const auto lines, LineReader::Open(path));
  const bool jsonl = spec.format == SourceFormat::kJsonl;
  while (true) {
    absl::string_view line;
    TY_ASSIGN_OR_RETURN(const bool more, lines->Next(&line));
    if (!more) return absl::OkStatus();
    absl::ConsumeSuffix(&line, "\r");
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    TY_RETURN_IF_ERROR(
        visit(lines->place(), jsonl ? ParseRow(line) : absl::StatusOr<Row>(TextRow(line))));
  }
}

// Every row of the groups that are wanted.
absl::Status VisitRows(const SourceSpec& spec, const VisitPlace& visit) {
  if (spec.format == SourceFormat::kTokenShards) {
    return absl::InvalidArgumentError(
        absl::StrCat("source \"", spec.name, "\" holds token shards, but rows of text are wanted"));
  }
  const VisitPlace visit_wanted = [&](const std::string& place, absl::StatusOr<Row> row) {
    const bool wanted =
        !row.ok() || spec.groups.empty() || absl::c_linear_search(spec.groups, row->group);
    return wanted ? visit(place, std::move(row)) : absl::OkStatus();
  };
  for (const std::string& path : spec.paths) {
    TY_RETURN_IF_ERROR(VisitFile(spec, path, visit_wanted));
  }
  return absl::OkStatus();
}

// Rows that wait until there is enough to encode at once.
class DocumentQueue {
 public:
  using Visit = std::function<absl::Status(absl::Span<const int32_t> ids)>;
  DocumentQueue(RowAccount* account, tokenizer::BatchEncoder* encoder, const Visit& visit)
      : account_(account), encoder_(encoder), visit_(visit) {}

  absl::Status Add(const std::string& place, absl::StatusOr<Row> row) {
    Waiting& last = waiting_.emplace_back();
    last.place = place;
    last.status = row.status();
    if (row.ok() && !row->text.has_value()) last.status = MissingField(*row, "text");
    if (last.status.ok()) last.text = *std::move(row->text);
    size_bytes_ += sizeof(last) + last.place.size() + last.text.size();
    return size_bytes_ < kBatchBytes ? absl::OkStatus() : Flush();
  }

  absl::Status Flush() {
    std::vector<absl::string_view> texts;
    for (const Waiting& row : waiting_) texts.push_back(row.text);
    encoder_->Encode(texts, tokenizer::AddedTokens::kAsText, &batch_);
    for (size_t i = 0; i < waiting_.size(); ++i) {
      absl::Status status = waiting_[i].status;
      if (status.ok() && batch_[i].empty()) {
        status = absl::InvalidArgumentError("field \"text\" is empty");
      }
      const bool good = status.ok();
      TY_RETURN_IF_ERROR(account_->Add(waiting_[i].place, std::move(status)));
      if (good) TY_RETURN_IF_ERROR(visit_(batch_[i]));
    }
    waiting_.clear();
    size_bytes_ = 0;
    return absl::OkStatus();
  }

 private:
  struct Waiting {
    std::string place;
    absl::Status status;
    std::string text;  // where the status is OK
  };

  RowAccount* const account_;
  tokenizer::BatchEncoder* const encoder_;
  const Visit& visit_;
  std::vector<Waiting> waiting_;
  size_t size_bytes_ = 0;
  tokenizer::EncodedBatch batch_;
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
  RowAccount account(spec);
  TY_RETURN_IF_ERROR(VisitRows(spec, [&](const std::string& place, absl::StatusOr<Row> row) {
    return account.Add(place, row.ok() ? visit(*row) : row.status());
  }));
  return account.TakeCounts();
}

absl::StatusOr<SourceCounts> ReadDocuments(
    const SourceSpec& spec, tokenizer::BatchEncoder* encoder,
    const std::function<absl::Status(absl::Span<const int32_t> ids)>& visit) {
  RowAccount account(spec);
  DocumentQueue queue(&account, encoder, visit);
  TY_RETURN_IF_ERROR(VisitRows(spec, [&](const std::string& place, absl::StatusOr<Row> row) {
    return queue.Add(place, std::move(row));
  }));
  TY_RETURN_IF_ERROR(queue.Flush());
  return account.TakeCounts();
}

}  // namespace trainyard::data
