#include "checkpoint/tensor_io.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace trainyard::checkpoint {
namespace {

absl::string_view BytesOf(const at::Tensor& tensor) {
  return absl::string_view(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
}

// A tensor over bytes of the file's mapping. It must not be written to, nor outlive the file.
at::Tensor View(const SafetensorsFile& file, const TensorEntry& entry) {
  return at::from_blob(const_cast<char*>(file.Bytes(entry).data()), entry.shape,
                       at::TensorOptions().dtype(ToScalarType(entry.dtype)));
}

// Data that other programs wrote need not be aligned to their item size.
bool Aligned(const SafetensorsFile& file, const TensorEntry& entry) {
  return reinterpret_cast<uintptr_t>(file.Bytes(entry).data()) % DTypeSizeBytes(entry.dtype) == 0;
}

// Some rows of a tensor; all of a tensor that can not be cut, or not be viewed where it lies.
struct Stripe {
  const TensorCopy* copy;
  int64_t first, rows;  // rows 0: the whole tensor
};

std::vector<Stripe> CutIntoStripes(const std::vector<TensorCopy>& copies) {
  constexpr int64_t kStripeBytes = int64_t{2} << 20;
  std::vector<Stripe> stripes;
  for (const TensorCopy& copy : copies) {
    const int64_t size_bytes = static_cast<int64_t>(copy.file->Bytes(*copy.entry).size());
    if (!Aligned(*copy.file, *copy.entry) || copy.entry->shape.empty() || size_bytes == 0) {
      stripes.push_back({&copy, 0, 0});
      continue;
    }
    const int64_t rows = copy.entry->shape[0];
    const int64_t step = std::max<int64_t>(kStripeBytes / (size_bytes / rows), 1);
    for (int64_t first = 0; first < rows; first += step) {
      stripes.push_back({&copy, first, std::min(step, rows - first)});
    }
  }
  return stripes;
}

void CopyStripe(const Stripe& stripe) {
  const auto& [file, entry, target] = *stripe.copy;
  const absl::string_view bytes = file->Bytes(*entry);
  if (stripe.rows == 0) {
    target.copy_(ReadTensor(*file, *entry));
    return file->Release(bytes);
  }
  target.narrow(0, stripe.first, stripe.rows)
      .copy_(View(*file, *entry).narrow(0, stripe.first, stripe.rows));
  // With the pages before, which a fault brings along.
  constexpr size_t kAroundBytes = size_t{64} << 10;
  const size_t row_bytes = bytes.size() / static_cast<size_t>(entry->shape[0]);
  const size_t begin = static_cast<size_t>(stripe.first) * row_bytes;
  const size_t end = begin + static_cast<size_t>(stripe.rows) * row_bytes;
  const size_t from = begin - std::min(begin, kAroundBytes);
  file->Release(bytes.substr(from, end - from));
}

std::string Described(at::ScalarType type, at::IntArrayRef shape) {
  return absl::StrCat(at::toString(type), "[", absl::StrJoin(shape, ","), "]");
}

}  // namespace

absl::StatusOr<DType> FromScalarType(at::ScalarType type) {
  switch (type) {
    case at::kBool:
      return DType::kBool;
    case at::kByte:
      return DType::kU8;
    case at::kChar:
      return DType::kI8;
    case at::kShort:
      return DType::kI16;
    case at::kUInt16:
      return DType::kU16;
    case at::kHalf:
      return DType::kF16;
    case at::kBFloat16:
      return DType::kBF16;
    case at::kInt:
      return DType::kI32;
    case at::kUInt32:
      return DType::kU32;
    case at::kFloat:
      return DType::kF32;
    case at::kLong:
      return DType::kI64;
    case at::kUInt64:
      return DType::kU64;
    case at::kDouble:
      return DType::kF64;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("tensor type ", at::toString(type), " cannot be stored"));
  }
}

at::ScalarType ToScalarType(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return at::kBool;
    case DType::kU8:
      return at::kByte;
    case DType::kI8:
      return at::kChar;
    case DType::kI16:
      return at::kShort;
    case DType::kU16:
      return at::kUInt16;
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    case DType::kI32:
      return at::kInt;
    case DType::kU32:
      return at::kUInt32;
    case DType::kF32:
      return at::kFloat;
    case DType::kI64:
      return at::kLong;
    case DType::kU64:
      return at::kUInt64;
    case DType::kF64:
      return at::kDouble;
  }
  TY_CHECK(false);
}

absl::StatusOr<FileRecord> WriteTensors(const std::string& path,
                                        const std::vector<NamedTensor>& tensors,
                                        const std::map<std::string, std::string>& metadata) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> held;
  std::vector<TensorBytes> bytes;
  for (const NamedTensor& named : tensors) {
    held.push_back(named.tensor.detach().to(at::kCPU).contiguous());
    const auto dtype = FromScalarType(held.back().scalar_type());
    if (!dtype.ok()) return Annotate(dtype.status(), absl::StrCat(path, ": ", named.name));
    bytes.push_back({named.name, *dtype, held.back().sizes().vec(), BytesOf(held.back())});
  }
  return WriteSafetensors(path, bytes, metadata);
}

at::Tensor ReadTensor(const SafetensorsFile& file, const TensorEntry& entry) {
  if (Aligned(file, entry)) return View(file, entry).clone();
  at::Tensor copy = at::empty(entry.shape, at::TensorOptions().dtype(ToScalarType(entry.dtype)));
  std::memcpy(copy.mutable_data_ptr(), file.Bytes(entry).data(), file.Bytes(entry).size());
  return copy;
}

void CopyTensors(const std::vector<TensorCopy>& copies) {
  const std::vector<Stripe> stripes = CutIntoStripes(copies);
  const auto copy = [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t i = begin; i < end; ++i) CopyStripe(stripes[i]);
  };
  const bool on_host = std::all_of(copies.begin(), copies.end(), [](const TensorCopy& wanted) {
    return wanted.target.is_cpu();
  });
  const int64_t count = static_cast<int64_t>(stripes.size());
  // One parallel region: with one for each stripe threads that wait for a busy machine would spin.
  if (on_host) {
    at::parallel_for(0, count, 1, copy);
  } else {
    copy(0, count);
  }
}

absl::StatusOr<std::vector<NamedTensor>> ReadTensors(const SafetensorsFile& file) {
  std::vector<NamedTensor> tensors;
  for (const TensorEntry& entry : file.tensors()) {
    tensors.push_back({entry.name, ReadTensor(file, entry)});
  }
  return tensors;
}

absl::Status ReadTensorsInto(const SafetensorsFile& file, const std::vector<NamedTensor>& targets) {
  std::vector<std::string> problems;
  std::set<std::string> wanted;
  for (const NamedTensor& target : targets) {
    wanted.insert(target.name);
    const TensorEntry* entry = file.Find(target.name);
    if (entry == nullptr) {
      problems.push_back(absl::StrCat("\"", target.name, "\" is missing"));
    } else if (target.tensor.sizes() != at::IntArrayRef(entry->shape) ||
               target.tensor.scalar_type() != ToScalarType(entry->dtype)) {
      problems.push_back(absl::StrCat(
          "\"", target.name, "\" is ", Described(ToScalarType(entry->dtype), entry->shape),
          ", wanted ", Described(target.tensor.scalar_type(), target.tensor.sizes())));
    }
  }
  for (const TensorEntry& entry : file.tensors()) {
    if (wanted.count(entry.name) == 0) {
      problems.push_back(absl::StrCat("\"", entry.name, "\" is not wanted"));
    }
  }
  if (!problems.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": tensor ", absl::StrJoin(problems, "; tensor ")));
  }
  const at::NoGradGuard no_grad;
  for (const NamedTensor& target : targets) {
    const TensorEntry& entry = *file.Find(target.name);
    target.tensor.copy_(Aligned(file, entry) ? View(file, entry) : ReadTensor(file, entry));
  }
  return absl::OkStatus();
}

Snapshot::Snapshot(const std::vector<NamedTensor>& like) {
  for (const NamedTensor& named : like) {
    const auto options =
        at::TensorOptions().dtype(named.tensor.scalar_type()).pinned_memory(named.tensor.is_cuda());
    // Zeroed, so that the pages are there before the first capture.
    tensors_.push_back({named.name, at::zeros(named.tensor.sizes(), options)});
  }
}

void Snapshot::Capture(const std::vector<NamedTensor>& tensors) {
  TY_CHECK(tensors.size() == tensors_.size());
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < tensors.size(); ++i) {
    TY_CHECK(tensors[i].name == tensors_[i].name);
    tensors_[i].tensor.copy_(tensors[i].tensor);
  }
}

size_t Snapshot::size_bytes() const {
  size_t total = 0;
  for (const NamedTensor& named : tensors_) total += named.tensor.nbytes();
  return total;
}

}  // namespace trainyard::checkpoint
