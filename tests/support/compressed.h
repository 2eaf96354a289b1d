// Compressed texts for tests of what reads them.

#ifndef TRAINYARD_TESTS_SUPPORT_COMPRESSED_H_
#define TRAINYARD_TESTS_SUPPORT_COMPRESSED_H_

#include <zlib.h>
#include <zstd.h>

#include <string>

#include "absl/strings/string_view.h"
#include "base/status.h"

namespace trainyard::testing {

// One gzip member.
inline std::string GzipOf(absl::string_view text) {
  z_stream stream = {};
  TY_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  TY_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// One zstd frame with a checksum; `window_log` > 0: with a window of 2^window_log bytes.
inline std::string ZstdOf(absl::string_view text, int window_log = 0) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  TY_CHECK(context != nullptr);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  // A frame of a known size never has a window larger than that.
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  if (window_log > 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_inBuffer in = {text.data(), text.size(), 0};
  ZSTD_outBuffer buffer = {out.data(), out.size(), 0};
  // In two steps: a window shrinks to a text that comes whole.
  ZSTD_compressStream2(context, &buffer, &in, ZSTD_e_continue);
  TY_CHECK(ZSTD_compressStream2(context, &buffer, &in, ZSTD_e_end) == 0);
  ZSTD_freeCCtx(context);
  out.resize(buffer.pos);
  return out;
}

}  // namespace trainyard::testing

#endif  // TRAINYARD_TESTS_SUPPORT_COMPRESSED_H_
