// Fuzzes the reading of a model's directory: a safetensors file by its bytes, an index with two
// shards, a config.json. Whatever is not refused must keep what it promises.
//
// The first byte says what the rest is: 0 a file; 1 a header's text and, behind a zero byte, the
// number of data bytes (so that the length before the header fits); 2 an index and two such
// headers, with zero bytes between; 3 a config.json.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tensor_directory.h"
#include "model/config.h"

namespace trainyard::checkpoint {
namespace {

void CheckHeader(const SafetensorsHeader& header, size_t file_bytes) {
  uint64_t at = 0;
  for (const TensorEntry& entry : header.tensors) {
    uint64_t size_bytes = DTypeSizeBytes(entry.dtype);
    for (const int64_t size : entry.shape) {
      TY_CHECK(size >= 0);
      size_bytes *= static_cast<uint64_t>(size);
    }
    TY_CHECK(entry.begin == at);
    TY_CHECK(entry.end - entry.begin == size_bytes);
    at = entry.end;
  }
  TY_CHECK(header.data_begin + at == file_bytes);
}

// Every byte of every tensor can be read.
uint64_t Sum(absl::string_view bytes) {
  uint64_t sum = 0;
  for (const char byte : bytes) sum += static_cast<uint8_t>(byte);
  return sum;
}

// A file from "header text", a zero byte, "number of data bytes".
std::string FileOf(absl::string_view text) {
  constexpr size_t kMostData = 1 << 16;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('\0', 1));
  uint64_t data_bytes = 0;
  if (!absl::SimpleAtoi(parts.second, &data_bytes)) data_bytes = 0;
  const uint64_t length = parts.first.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof(length));
  absl::StrAppend(&file, parts.first);
  file.append(std::min<size_t>(data_bytes, kMostData), '\1');
  return file;
}

void ReadHeader(absl::string_view file) {
  const auto header = ParseSafetensorsHeader(file, "fuzz");
  if (header.ok()) CheckHeader(*header, file.size());
}

const std::string& Scratch() {
  static const auto* const kDirectory = [] {
    char name[] = "/dev/shm/fuzz-model-files-XXXXXX";  // some thousand files a second
    TY_CHECK(mkdtemp(name) != nullptr);
    return new std::string(name);
  }();
  return *kDirectory;
}

void ReadDirectory(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('\0', 4));
  const auto part = [&](size_t i) { return i < parts.size() ? parts[i] : absl::string_view(); };
  const auto write = [](const char* name, absl::string_view bytes) {
    std::ofstream(absl::StrCat(Scratch(), "/", name), std::ios::binary) << bytes;
  };
  write("model.safetensors.index.json", part(0));
  write("a.safetensors", FileOf(absl::StrCat(part(1), std::string(1, '\0'), part(2))));
  write("b.safetensors", FileOf(absl::StrCat(part(3), std::string(1, '\0'), part(4))));
  const auto opened = OpenTensorDirectory(Scratch());
  if (!opened.ok()) return;
  volatile uint64_t sum = 0;
  for (const auto& [name, stored] : opened->tensors) {
    TY_CHECK(stored.entry->name == name);
    TY_CHECK(stored.file->Find(name) == stored.entry);
    sum = sum + Sum(stored.bytes());
    stored.file->Release(stored.bytes());
  }
}

void ReadModelConfig(absl::string_view text) {
  const auto json = ParseJson(text, "fuzz");
  if (!json.ok()) return;
  const auto parsed = model::ParseConfig(*json, "fuzz");
  if (!parsed.ok()) return;
  TY_CHECK(model::ValidateConfig(parsed->config).ok());
  // What we write of it reads as the same.
  const auto again = model::ParseConfig(model::ConfigJson(parsed->config, "float32"), "again");
  TY_CHECK(again.ok());
  TY_CHECK(model::SameComputation(again->config, parsed->config));
}

}  // namespace
}  // namespace trainyard::checkpoint

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 0:
      trainyard::checkpoint::ReadHeader(rest);
      return 0;
    case 1:
      trainyard::checkpoint::ReadHeader(trainyard::checkpoint::FileOf(rest));
      return 0;
    case 2:
      trainyard::checkpoint::ReadDirectory(rest);
      return 0;
    case 3:
      trainyard::checkpoint::ReadModelConfig(rest);
      return 0;
    default:
      return -1;  // kept out of the corpus
  }
}
