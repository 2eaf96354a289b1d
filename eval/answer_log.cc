#include "eval/answer_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/status.h"

namespace trainyard::eval {
namespace {

std::string LogPath(const AnswerLogOptions& options, uint64_t epoch) {
  return absl::StrCat(options.run_directory, "/e", epoch, "/", options.name, ".progress.jsonl");
}

// The attempts before this one that have a directory, oldest first.
std::vector<uint64_t> EarlierEpochs(const AnswerLogOptions& options) {
  std::vector<uint64_t> epochs;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(options.run_directory, ignored)) {
    const std::string name = entry.path().filename().string();
    absl::string_view digits = name;
    uint64_t epoch = 0;
    if (absl::ConsumePrefix(&digits, "e") && absl::SimpleAtoi(digits, &epoch) &&
        epoch < options.epoch) {
      epochs.push_back(epoch);
    }
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

absl::Status CheckIdentity(const Json& header, const std::string& path,
                           const std::string& identity) {
  JsonReader reader(header, path);
  TY_ASSIGN_OR_RETURN(const std::string found, reader.String("identity"));
  if (found == identity) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path,
      " holds answers to other prompts, by other sampling or of another model than this "
      "job's: its input changed since; restore it, or submit a new job"));
}

absl::Status ReadLog(const std::string& path, const std::string& identity,
                     std::map<int64_t, AnsweredRow>* rows) {
  absl::StatusOr<std::string> file = ReadFile(path);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  TY_RETURN_IF_ERROR(file.status());
  absl::string_view rest = *file;
  for (int line_number = 1; !rest.empty(); ++line_number) {
    const size_t end = rest.find('\n');
    if (end == absl::string_view::npos) break;  // torn by the crash
    const std::string place = absl::StrCat(path, ":", line_number);
    const absl::StatusOr<Json> line = ParseJson(rest.substr(0, end), place);
    rest.remove_prefix(end + 1);
    if (!line.ok() && rest.empty()) break;
    if (!line.ok()) return absl::DataLossError(line.status().message());
    if (line_number == 1) {
      TY_RETURN_IF_ERROR(CheckIdentity(*line, path, identity));
      continue;
    }
    absl::StatusOr<AnsweredRow> row = AnsweredRowFromJson(*line, place);
    if (!row.ok()) return absl::DataLossError(row.status().message());
    const int64_t number = row->row;
    rows->insert_or_assign(number, *std::move(row));
  }
  return absl::OkStatus();
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "write answers");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fdatasync(fd) != 0) return ErrnoStatus(errno, "sync answers");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<AnswerLog>> AnswerLog::Open(const AnswerLogOptions& options) {
  std::map<int64_t, AnsweredRow> rows;
  for (const uint64_t epoch : EarlierEpochs(options)) {
    TY_RETURN_IF_ERROR(ReadLog(LogPath(options, epoch), options.identity, &rows));
  }
  const std::string path = LogPath(options, options.epoch);
  const std::string directory = std::filesystem::path(path).parent_path().string();
  TY_RETURN_IF_ERROR(MakeDirectories(directory));
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("create ", path));
  std::unique_ptr<AnswerLog> log(new AnswerLog(fd));
  log->rows_ = std::move(rows);
  TY_RETURN_IF_ERROR(WriteAll(fd, Json{{"identity", options.identity}}.dump() + "\n"));
  TY_RETURN_IF_ERROR(SyncPath(directory));
  return log;
}

AnswerLog::~AnswerLog() { close(fd_); }

absl::Status AnswerLog::Append(absl::Span<const AnsweredRow> rows,
                               const std::function<const data::Prompt&(int64_t row)>& prompt_of) {
  std::string lines;
  for (const AnsweredRow& row : rows) {
    absl::StrAppend(&lines, ToJson(row, prompt_of(row.row)).dump(), "\n");
  }
  TY_RETURN_IF_ERROR(WriteAll(fd_, lines));
  for (const AnsweredRow& row : rows) rows_.insert_or_assign(row.row, row);
  return absl::OkStatus();
}

}  // namespace trainyard::eval
