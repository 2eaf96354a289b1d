// Where samples come from: files of text, of JSON lines, or token shards.

#ifndef TRAINYARD_DATA_SOURCE_H_
#define TRAINYARD_DATA_SOURCE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/row.h"
#include "tokenizer/batch_encoder.h"

namespace trainyard::data {

enum class SourceFormat {
  kTextPerFile,  // a document per file
  kTextPerLine,  // a document per line, empty lines skipped
  kJsonl,        // a row per line, see data/row.h
  kTokenShards,  // directories that WriteTokenShards made
};

// "text", "lines", "jsonl" or "shards"; an empty name decides by `path`: .jsonl, .txt (lines), each
// also with .gz or .zst after it, a directory (shards). InvalidArgument lists them.
absl::StatusOr<SourceFormat> ResolveSourceFormat(absl::string_view name, const std::string& path);

// How much of a source one pass over the mixture takes. At most one of the three is set; none means
// every sample once.
struct SourceShare {
  double weight = 0;         // > 0: its share of the samples of a pass, among the weights of all
  double passes = 0;         // > 0: so many passes over the source (2.5: twice all, then a half)
  int64_t token_budget = 0;  // > 0: samples of reshuffled passes until they hold so many tokens
};

struct SourceSpec {
  std::string name;                // in reports; the order is drawn by it too
  std::vector<std::string> paths;  // files, or directories of token shards
  SourceFormat format = SourceFormat::kJsonl;
  SourceShare share;
  std::vector<std::string> groups;  // only rows of these groups; empty: all
  int64_t max_bad_rows = 0;  // rows that may be skipped (and are counted) before the source fails
  // For prompts: one is drawn for each row by seed. "{prompt}" and any other text field of the row
  // in braces are replaced; "{{" is a brace. Empty: the prompt as it is.
  std::vector<std::string> instruction_templates;
};

struct SourceCounts {
  int64_t rows = 0;
  int64_t bad_rows = 0;
  std::string first_bad_row;  // its message, with file and line
};

// Calls `visit` for every row of the source in the order of its files (format kTokenShards is not
// for it: InvalidArgument). Files are streamed, compressed ones too: memory holds a row, and no
// more than a window of the compression. An error of parsing or of `visit` is the row's: it names
// file and line, and fails the source once more than max_bad_rows rows are bad. Errors of
// base/line_reader.h and base/input_file.h are the file's and fail the source: NotFound, a damaged
// stream, a line or text over its limit.
absl::StatusOr<SourceCounts> ReadRows(const SourceSpec& spec,
                                      const std::function<absl::Status(const Row&)>& visit);

// Calls `visit` with the tokens of every row's text, encoded as user text, in the order of ReadRows
// and with its account of bad rows: one that has no text, or none that makes a token, is bad. Rows
// are encoded some megabytes at a time, on the encoder's threads. An error of `visit` is nobody's
// row: it fails the source.
absl::StatusOr<SourceCounts> ReadDocuments(
    const SourceSpec& spec, tokenizer::BatchEncoder* encoder,
    const std::function<absl::Status(absl::Span<const int32_t> ids)>& visit);

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_SOURCE_H_
