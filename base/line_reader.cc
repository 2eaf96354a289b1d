#include "base/line_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace trainyard {
namespace {

constexpr size_t kBlockBytes = 1 << 18;

}  // namespace

LineReader::LineReader(std::string path, std::unique_ptr<InputFile> file, size_t most_bytes)
    : path_(std::move(path)),
      file_(std::move(file)),
      most_bytes_(most_bytes),
      block_(kBlockBytes) {}

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path,
                                                             size_t most_bytes) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<InputFile> file, InputFile::Open(path));
  return std::unique_ptr<LineReader>(new LineReader(path, std::move(file), most_bytes));
}

std::string LineReader::place() const { return absl::StrCat(path_, ":", number_); }

absl::StatusOr<bool> LineReader::Refill() {
  const absl::StatusOr<size_t> got = file_->Read(absl::MakeSpan(block_));
  if (!got.ok()) return Annotate(got.status(), absl::StrCat("in line ", number_));
  rest_ = absl::string_view(block_.data(), *got);
  return *got > 0;
}

absl::StatusOr<bool> LineReader::Next(absl::string_view* line) {
  ++number_;
  line_.clear();
  while (true) {
    const size_t end = rest_.find('\n');
    const absl::string_view part = rest_.substr(0, end);
    if (part.size() > most_bytes_ - line_.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          place(), ": the line has more than ", most_bytes_, " bytes, the limit; split it"));
    }
    if (end != absl::string_view::npos && line_.empty()) {
      *line = part;  // whole, where it lies
      rest_.remove_prefix(end + 1);
      break;
    }
    line_.append(part.data(), part.size());
    *line = line_;
    if (end != absl::string_view::npos) {
      rest_.remove_prefix(end + 1);
      break;
    }
    TY_ASSIGN_OR_RETURN(const bool more, Refill());
    if (!more && line_.empty()) {
      --number_;
      return false;
    }
    if (!more) break;
  }
  if (number_ == 1) absl::ConsumePrefix(line, kByteOrderMark);
  return true;
}

}  // namespace trainyard
