#include "base/decompressor.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr size_t kMostAtOnce = std::numeric_limits<uInt>::max();

class GzipDecompressor : public Decompressor {
 public:
  GzipDecompressor() { TY_CHECK(inflateInit2(&stream_, kGzipOnly) == Z_OK); }
  ~GzipDecompressor() override { inflateEnd(&stream_); }

  absl::StatusOr<size_t> Decode(absl::string_view* input, absl::Span<char> output) override {
    if (member_ended_) {
      while (!input->empty() && input->front() == '\0') input->remove_prefix(1);
      if (input->empty()) return 0;
      TY_CHECK(inflateReset(&stream_) == Z_OK);
      member_ended_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input->data()));
    const uInt offered = static_cast<uInt>(std::min(input->size(), kMostAtOnce));
    stream_.avail_in = offered;
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    const uInt room = static_cast<uInt>(std::min(output.size(), kMostAtOnce));
    stream_.avail_out = room;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    input->remove_prefix(offered - stream_.avail_in);
    member_ended_ = code == Z_STREAM_END;
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return absl::DataLossError(
          absl::StrCat("gzip: ", stream_.msg != nullptr ? stream_.msg : zError(code)));
    }
    return room - stream_.avail_out;
  }

  bool AtEnd() const override { return member_ended_; }

 private:
  z_stream stream_ = {};
  bool member_ended_ = false;
};

class ZstdDecompressor : public Decompressor {
 public:
  ZstdDecompressor() : stream_(ZSTD_createDStream()) { TY_CHECK(stream_ != nullptr); }
  ~ZstdDecompressor() override { ZSTD_freeDStream(stream_); }

  absl::StatusOr<size_t> Decode(absl::string_view* input, absl::Span<char> output) override {
    ZSTD_inBuffer in = {input->data(), input->size(), 0};
    ZSTD_outBuffer out = {output.data(), output.size(), 0};
    const size_t wanted = ZSTD_decompressStream(stream_, &out, &in);
    input->remove_prefix(in.pos);
    if (ZSTD_isError(wanted)) {
      const bool window =
          ZSTD_getErrorCode(wanted) == ZSTD_error_frameParameter_windowTooLarge;
      return absl::DataLossError(absl::StrCat(
          "zstd: ", ZSTD_getErrorName(wanted),
          window ? ": its window is over 128 MiB; compress with --long=27 or without" : ""));
    }
    if (in.pos > 0 || out.pos > 0) frame_ended_ = wanted == 0;
    return out.pos;
  }

  bool AtEnd() const override { return frame_ended_; }

 private:
  ZSTD_DStream* const stream_;
  bool frame_ended_ = false;
};

}  // namespace

std::unique_ptr<Decompressor> MakeDecompressor(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return std::make_unique<GzipDecompressor>();
    case Compression::kZstd:
      return std::make_unique<ZstdDecompressor>();
    case Compression::kNone:
      break;
  }
  return nullptr;
}

}  // namespace trainyard
