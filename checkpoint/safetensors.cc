#include "checkpoint/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "checkpoint/new_file.h"

namespace trainyard::checkpoint {
namespace {

constexpr uint64_t kLengthBytes = 8;

struct DTypeRow {
  DType dtype;
  absl::string_view name;
  size_t size_bytes;
};
constexpr std::array<DTypeRow, 13> kDTypes = {{{DType::kBool, "BOOL", 1},
                                               {DType::kU8, "U8", 1},
                                               {DType::kI8, "I8", 1},
                                               {DType::kI16, "I16", 2},
                                               {DType::kU16, "U16", 2},
                                               {DType::kF16, "F16", 2},
                                               {DType::kBF16, "BF16", 2},
                                               {DType::kI32, "I32", 4},
                                               {DType::kU32, "U32", 4},
                                               {DType::kF32, "F32", 4},
                                               {DType::kI64, "I64", 8},
                                               {DType::kU64, "U64", 8},
                                               {DType::kF64, "F64", 8}}};

const DTypeRow& RowOf(DType dtype) {
  const auto* row = std::find_if(kDTypes.begin(), kDTypes.end(),
                                 [dtype](const DTypeRow& row) { return row.dtype == dtype; });
  TY_CHECK(row != kDTypes.end());
  return *row;
}

absl::Status Bad(absl::string_view path, absl::string_view offence) {
  return absl::InvalidArgumentError(absl::StrCat(path, " is no valid safetensors file: ", offence));
}

// A header may name a tensor twice, and a JSON object keeps only one of them: refuse while parsing.
absl::StatusOr<Json> ParseWithoutDuplicates(absl::string_view text, const std::string& path) {
  std::vector<std::set<std::string>> seen;
  std::string duplicate;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) seen.emplace_back();
    if (event == Json::parse_event_t::object_end) seen.pop_back();
    if (event == Json::parse_event_t::key &&
        !seen.back().insert(parsed.get<std::string>()).second) {
      duplicate = parsed.get<std::string>();
    }
    return true;
  };
  try {
    Json json = Json::parse(text.begin(), text.end(), watch);
    if (!duplicate.empty()) return Bad(path, absl::StrCat("\"", duplicate, "\" is named twice"));
    if (!json.is_object()) return Bad(path, "the header is no JSON object");
    return json;
  } catch (const Json::exception& error) {
    return Bad(path, absl::StrCat("the header is no JSON: ", error.what()));
  }
}

absl::StatusOr<uint64_t> ShapeBytes(const TensorEntry& entry, const std::string& path) {
  uint64_t size = DTypeSizeBytes(entry.dtype);
  for (const int64_t dimension : entry.shape) {
    if (__builtin_mul_overflow(size, static_cast<uint64_t>(dimension), &size)) {
      return Bad(path, absl::StrCat("tensor \"", entry.name, "\": the shape overflows"));
    }
  }
  return size;
}

absl::StatusOr<std::vector<uint64_t>> Unsigned(const Json& json, absl::string_view what,
                                               const std::string& path) {
  if (!json.is_array()) return Bad(path, absl::StrCat(what, " is no array"));
  std::vector<uint64_t> values;
  for (const Json& value : json) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > (uint64_t{1} << 62)) {
      return Bad(path, absl::StrCat(what, " has ", value.dump().substr(0, 40),
                                    " where a whole number >= 0 must be"));
    }
    values.push_back(value.get<uint64_t>());
  }
  return values;
}

absl::StatusOr<TensorEntry> ParseTensor(const std::string& name, const Json& json,
                                        const std::string& path) {
  const std::string what = absl::StrCat("tensor \"", name, "\"");
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() ||
      !json.contains("shape") || !json.contains("data_offsets")) {
    return Bad(path, absl::StrCat(what, " lacks dtype, shape or data_offsets"));
  }
  TensorEntry entry;
  entry.name = name;
  const auto dtype = ParseDType(json["dtype"].get<std::string>());
  if (!dtype.ok()) return Bad(path, absl::StrCat(what, ": ", dtype.status().message()));
  entry.dtype = *dtype;
  TY_ASSIGN_OR_RETURN(const auto shape,
                      Unsigned(json["shape"], absl::StrCat(what, ": shape"), path));
  entry.shape.assign(shape.begin(), shape.end());
  TY_ASSIGN_OR_RETURN(const auto offsets,
                      Unsigned(json["data_offsets"], absl::StrCat(what, ": data_offsets"), path));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    return Bad(path, absl::StrCat(what, ": data_offsets are not begin <= end"));
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  TY_ASSIGN_OR_RETURN(const uint64_t size, ShapeBytes(entry, path));
  if (entry.end - entry.begin != size) {
    return Bad(path, absl::StrCat(what, ": ", entry.end - entry.begin, " bytes, but ",
                                  json["dtype"].get<std::string>(), "[",
                                  absl::StrJoin(entry.shape, ","), "] takes ", size));
  }
  return entry;
}

// Offsets must tile the data exactly: no overlap, no hole, no rest.
absl::Status CheckTiling(const std::vector<TensorEntry>& tensors, uint64_t data_bytes,
                         const std::string& path) {
  uint64_t at = 0;
  for (const TensorEntry& entry : tensors) {
    if (entry.begin != at) {
      return Bad(path, absl::StrCat("tensor \"", entry.name, "\" begins at ", entry.begin,
                                    entry.begin < at ? ", inside the one before, which ends at "
                                                     : ", leaving a hole after ",
                                    at));
    }
    at = entry.end;
    if (at > data_bytes) {
      return Bad(path, absl::StrCat("truncated: tensor \"", entry.name, "\" ends at byte ", at,
                                    " of the data, which has ", data_bytes));
    }
  }
  if (at == data_bytes) return absl::OkStatus();
  return Bad(path, absl::StrCat(data_bytes - at, " bytes after the last tensor"));
}

absl::Status ParseMetadata(const Json& json, const std::string& path,
                           std::map<std::string, std::string>* metadata) {
  if (!json.is_object()) return Bad(path, "__metadata__ is no object");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return Bad(path, absl::StrCat("__metadata__ \"", key, "\" is no string"));
    }
    (*metadata)[key] = value.get<std::string>();
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }

size_t DTypeSizeBytes(DType dtype) { return RowOf(dtype).size_bytes; }

absl::StatusOr<DType> ParseDType(absl::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return absl::InvalidArgumentError(absl::StrCat("dtype \"", name, "\" is not supported"));
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view file,
                                                         const std::string& path) {
  if (file.size() < kLengthBytes) {
    return Bad(path, absl::StrCat("truncated: ", file.size(), " bytes, a header needs 8"));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes) {
    return Bad(path, absl::StrCat("absurd header length ", header_bytes, " (at most ",
                                  kMaxHeaderBytes, ")"));
  }
  if (header_bytes > file.size() - kLengthBytes) {
    return Bad(path, absl::StrCat("truncated: the header takes ", header_bytes,
                                  " bytes, the file has ", file.size() - kLengthBytes));
  }
  TY_ASSIGN_OR_RETURN(const Json json,
                      ParseWithoutDuplicates(file.substr(kLengthBytes, header_bytes), path));
  SafetensorsHeader header;
  header.data_begin = kLengthBytes + header_bytes;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      TY_RETURN_IF_ERROR(ParseMetadata(value, path, &header.metadata));
      continue;
    }
    TY_ASSIGN_OR_RETURN(TensorEntry entry, ParseTensor(name, value, path));
    header.tensors.push_back(std::move(entry));
  }
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const TensorEntry& a, const TensorEntry& b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  TY_RETURN_IF_ERROR(CheckTiling(header.tensors, file.size() - header.data_begin, path));
  return header;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  struct stat info = {};
  void* mapped = nullptr;
  const bool stated = fstat(fd, &info) == 0;
  const size_t size = static_cast<size_t>(info.st_size);
  if (stated && size > 0) mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  close(fd);
  if (!stated || mapped == MAP_FAILED) return ErrnoStatus(error, absl::StrCat("map ", path));
  std::unique_ptr<SafetensorsFile> file(
      new SafetensorsFile(path, absl::string_view(static_cast<const char*>(mapped), size)));
  TY_ASSIGN_OR_RETURN(file->header_, ParseSafetensorsHeader(file->mapping_, path));
  for (size_t i = 0; i < file->header_.tensors.size(); ++i) {
    file->index_[file->header_.tensors[i].name] = i;
  }
  return file;
}

SafetensorsFile::SafetensorsFile(std::string path, absl::string_view mapping)
    : path_(std::move(path)), mapping_(mapping) {}

SafetensorsFile::~SafetensorsFile() {
  if (!mapping_.empty()) munmap(const_cast<char*>(mapping_.data()), mapping_.size());
}

const TensorEntry* SafetensorsFile::Find(absl::string_view name) const {
  const auto it = index_.find(std::string(name));
  return it == index_.end() ? nullptr : &header_.tensors[it->second];
}

void SafetensorsFile::Release(absl::string_view bytes) const {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t last = (begin + bytes.size()) / page * page;
  // A hint: where it fails, the memory stays until the file is closed.
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

absl::string_view SafetensorsFile::Bytes(const TensorEntry& entry) const {
  return mapping_.substr(header_.data_begin + entry.begin, entry.end - entry.begin);
}

absl::StatusOr<FileRecord> WriteSafetensors(const std::string& path,
                                            absl::Span<const TensorBytes> tensors,
                                            const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorBytes*> order;
  for (const TensorBytes& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorBytes* a, const TensorBytes* b) {
    const size_t a_size = DTypeSizeBytes(a->dtype), b_size = DTypeSizeBytes(b->dtype);
    return a_size != b_size ? a_size > b_size : a->name < b->name;
  });
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t at = 0;
  for (const TensorBytes* tensor : order) {
    if (header.contains(tensor->name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor \"", tensor->name, "\" is given twice"));
    }
    header[tensor->name] = {{"dtype", std::string(DTypeName(tensor->dtype))},
                            {"shape", tensor->shape},
                            {"data_offsets", {at, at + tensor->bytes.size()}}};
    at += tensor->bytes.size();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  TY_ASSIGN_OR_RETURN(const auto file, NewFile::Create(path));
  TY_RETURN_IF_ERROR(
      file->Append(absl::string_view(reinterpret_cast<const char*>(&length), sizeof(length))));
  TY_RETURN_IF_ERROR(file->Append(text));
  for (const TensorBytes* tensor : order) TY_RETURN_IF_ERROR(file->Append(tensor->bytes));
  return file->Finish();
}

}  // namespace trainyard::checkpoint
