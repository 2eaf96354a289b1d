#include "worker/weights_snapshot.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "kernels/thread_pool.h"
#include "kernels/transpose.h"

namespace trainyard::worker {
namespace {

// A piece is hashed while it is in a core's cache.
constexpr size_t kPieceBytes = 256 << 10;
constexpr int64_t kPieceRows = 32;  // of a transposed matrix

std::string CopyContiguous(const at::Tensor& tensor, char* to) {
  const char* const from = static_cast<const char*>(tensor.const_data_ptr());
  Xxh3 checksum;
  for (size_t done = 0; done < tensor.nbytes(); done += kPieceBytes) {
    const size_t size_bytes = std::min(kPieceBytes, tensor.nbytes() - done);
    std::memcpy(to + done, from + done, size_bytes);
    checksum.Update(absl::string_view(to + done, size_bytes));
  }
  return checksum.Hex();
}

// T: as wide as the tensor's elements.
template <typename T>
std::string CopyTransposed(const at::Tensor& tensor, char* to) {
  const T* const from = static_cast<const T*>(tensor.const_data_ptr());
  const int64_t width = tensor.size(1);
  Xxh3 checksum;
  for (int64_t row = 0; row < tensor.size(0); row += kPieceRows) {
    const int64_t rows = std::min(kPieceRows, tensor.size(0) - row);
    T* const piece = reinterpret_cast<T*>(to) + row * width;
    kernels::Transpose<T>({from + row, tensor.stride(1)}, static_cast<int>(width),
                          static_cast<int>(rows), {piece, width});
    checksum.Update({reinterpret_cast<const char*>(piece), rows * width * sizeof(T)});
  }
  return checksum.Hex();
}

// Copies one tensor and returns its checksum.
std::string CopyTensor(const at::Tensor& tensor, char* to) {
  if (tensor.is_cpu() && tensor.is_contiguous()) return CopyContiguous(tensor, to);
  if (tensor.is_cpu() && tensor.dim() == 2 && tensor.stride(0) == 1) {
    if (tensor.itemsize() == sizeof(float)) return CopyTransposed<float>(tensor, to);
    if (tensor.itemsize() == sizeof(uint16_t)) return CopyTransposed<uint16_t>(tensor, to);
  }
  at::from_blob(to, tensor.sizes(), tensor.options().device(at::kCPU)).copy_(tensor);
  return Xxh3Hex(to, tensor.nbytes());
}

// Names, types and places of the tensors; returns the bytes of all.
absl::StatusOr<size_t> LayOut(const NamedTensors& tensors, std::vector<PublishedTensor>* out) {
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    TY_ASSIGN_OR_RETURN(const checkpoint::DType dtype,
                        checkpoint::FromScalarType(tensor.scalar_type()));
    out->push_back({.name = name,
                    .dtype = std::string(checkpoint::DTypeName(dtype)),
                    .shape = tensor.sizes().vec(),
                    .offset = offset,
                    .size_bytes = tensor.nbytes()});
    offset += tensor.nbytes();
  }
  return offset;
}

}  // namespace

absl::StatusOr<std::shared_ptr<PublishedWeights>> SnapshotWeights(const NamedTensors& tensors,
                                                                  SnapshotMemory& memory) {
  auto weights = std::make_shared<PublishedWeights>();
  std::vector<PublishedTensor>& published = weights->tensors;
  TY_ASSIGN_OR_RETURN(const size_t size_bytes, LayOut(tensors, &published));
  TY_ASSIGN_OR_RETURN(weights->memory, memory.Take(size_bytes));
  const absl::Cleanup let_readers_in = [filled = weights->memory] { filled->LetReadersIn(); };
  // The largest first: they decide when the last thread is done.
  std::vector<int> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return published[a].size_bytes > published[b].size_bytes;
  });
  std::vector<std::exception_ptr> thrown(order.size());
  kernels::ThreadPool threads(at::get_num_threads());
  threads.ForEach(static_cast<int>(order.size()), [&](int i, int) {
    const c10::NoGradGuard no_grad;
    PublishedTensor& tensor = published[order[i]];
    try {
      tensor.xxh3 = CopyTensor(tensors[order[i]].tensor, weights->memory->data() + tensor.offset);
    } catch (...) {
      thrown[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& exception : thrown) {
    if (exception != nullptr) std::rethrow_exception(exception);
  }
  std::string checksums;
  for (const PublishedTensor& tensor : published) absl::StrAppend(&checksums, tensor.xxh3);
  weights->digest = Xxh3Hex(checksums);
  return weights;
}

}  // namespace trainyard::worker
