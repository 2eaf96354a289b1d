#include "base/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"

namespace trainyard {
namespace {

constexpr char kGzipEnding[] = ".gz";
constexpr char kZstdEnding[] = ".zst";
constexpr absl::string_view kEndingsNotRead[] = {".bz2", ".xz", ".lzma", ".lz4", ".br", ".zip",
                                                 ".Z",   ".7z", ".rar",  ".tar", ".tgz"};
constexpr absl::string_view kGzipStart("\x1f\x8b\x08", 3);
constexpr absl::string_view kZstdStart("\x28\xb5\x2f\xfd", 4);
constexpr size_t kBlockBytes = 1 << 16;

absl::Status CheckName(const std::string& path) {
  for (const absl::string_view ending : kEndingsNotRead) {
    if (!absl::EndsWith(WithoutCompression(path), ending)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", ending, " is not read; give the text as it is, or compressed by gzip (",
        kGzipEnding, ") or zstd (", kZstdEnding, ")"));
  }
  return absl::OkStatus();
}

// A pipe has no place to look at before it is read, and is taken by its name.
absl::Status CheckStart(const std::string& path, int fd) {
  char start[4];
  const ssize_t got = pread(fd, start, sizeof(start), 0);
  const absl::string_view text(start, got < 0 ? 0 : static_cast<size_t>(got));
  const char* ending = nullptr;
  if (absl::StartsWith(text, kGzipStart)) ending = kGzipEnding;
  if (absl::StartsWith(text, kZstdStart)) ending = kZstdEnding;
  if (ending == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is compressed, but its name does not say so: it must end in ", ending));
}

// What a user gave is the user's to mend, not a device that lost data.
absl::Status Damaged(const std::string& message) {
  return WithCause(absl::DataLossError(message), EndClass::kUserError);
}

}  // namespace

Compression CompressionOf(absl::string_view path) {
  if (absl::EndsWith(path, kGzipEnding)) return Compression::kGzip;
  if (absl::EndsWith(path, kZstdEnding)) return Compression::kZstd;
  return Compression::kNone;
}

absl::string_view WithoutCompression(absl::string_view path) {
  if (CompressionOf(path) == Compression::kNone) return path;
  return path.substr(0, path.rfind('.'));
}

InputFile::InputFile(std::string path, int fd)
    : path_(std::move(path)), fd_(fd), decompressor_(MakeDecompressor(CompressionOf(path_))) {
  if (decompressor_ != nullptr) block_.resize(kBlockBytes);
}

InputFile::~InputFile() { close(fd_); }

absl::StatusOr<std::unique_ptr<InputFile>> InputFile::Open(const std::string& path) {
  TY_RETURN_IF_ERROR(CheckName(path));
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  std::unique_ptr<InputFile> file(new InputFile(path, fd));
  if (file->decompressor_ == nullptr) TY_RETURN_IF_ERROR(CheckStart(path, fd));
  return file;
}

absl::StatusOr<size_t> InputFile::ReadStored(absl::Span<char> output) {
  while (true) {
    const ssize_t got = read(fd_, output.data(), output.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("read ", path_));
    stored_bytes_ += got;
    return static_cast<size_t>(got);
  }
}

absl::StatusOr<size_t> InputFile::Read(absl::Span<char> output) {
  if (decompressor_ == nullptr) return ReadStored(output);
  while (true) {
    if (stored_.empty() && !more_to_decode_) {
      TY_ASSIGN_OR_RETURN(const size_t got, ReadStored(absl::MakeSpan(block_)));
      if (got == 0 && decompressor_->AtEnd()) return 0;
      if (got == 0) {
        return Damaged(absl::StrCat(path_, " is cut short: it ends at byte ", stored_bytes_,
                                    " inside of a compressed stream; make or copy it again"));
      }
      stored_ = absl::string_view(block_.data(), got);
    }
    const absl::StatusOr<size_t> wrote = decompressor_->Decode(&stored_, output);
    if (!wrote.ok()) {
      return Damaged(absl::StrCat(path_, " is damaged near byte ",
                                  stored_bytes_ - static_cast<int64_t>(stored_.size()), " (",
                                  std::string(wrote.status().message()),
                                  "); make or copy it again"));
    }
    more_to_decode_ = *wrote == output.size();
    if (*wrote > 0) return *wrote;
  }
}

absl::StatusOr<std::string> ReadText(const std::string& path, size_t most_bytes) {
  TY_ASSIGN_OR_RETURN(const auto file, InputFile::Open(path));
  std::vector<char> block(kBlockBytes);
  std::string text;
  while (true) {
    TY_ASSIGN_OR_RETURN(const size_t got, file->Read(absl::MakeSpan(block)));
    if (got == 0) break;
    if (got > most_bytes - text.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, " has more than ", most_bytes, " bytes, the most that a text may have; split it"));
    }
    text.append(block.data(), got);
  }
  if (absl::StartsWith(text, kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

}  // namespace trainyard
