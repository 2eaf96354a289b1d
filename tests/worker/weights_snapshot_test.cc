#include "worker/weights_snapshot.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/checksum.h"

namespace trainyard::worker {
namespace {

std::string BytesOf(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return std::string(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
}

TEST(WeightsSnapshot, HoldsEveryTensorRowByRowWhateverItsStrides) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::Tensor base = at::arange(0, 70 * 1500, at::kFloat).view({70, 1500}).to(type);
    const NamedTensors tensors = {{"whole", base},
                                  {"transposed", base.t()},
                                  {"cut", base.slice(0, 3, 60)},
                                  {"part of a transposed", base.slice(0, 3, 60).t()},
                                  {"strided", base.slice(1, 0, 1500, 2)},
                                  {"vector", base.select(0, 5)}};
    SnapshotMemory memory;
    const auto weights = SnapshotWeights(tensors, memory);
    ASSERT_TRUE(weights.ok()) << weights.status();
    std::string checksums;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const PublishedTensor& found = (*weights)->tensors[i];
      const std::string want = BytesOf(tensors[i].tensor);
      EXPECT_EQ(found.name, tensors[i].name);
      EXPECT_EQ(found.shape, tensors[i].tensor.sizes().vec());
      EXPECT_TRUE((*weights)->Bytes(found) == want) << found.name << " " << type;
      EXPECT_EQ(found.xxh3, Xxh3Hex(want)) << found.name;
      checksums += found.xxh3;
    }
    EXPECT_EQ((*weights)->digest, Xxh3Hex(checksums));
  }
}

TEST(WeightsSnapshot, DoesNotChangeWhenTheTensorsOrTheNextVersionDo) {
  const at::Tensor tensor = at::ones({300, 300});
  SnapshotMemory memory;
  const auto first = *SnapshotWeights({{"w", tensor}}, memory);
  const std::string before(first->Bytes(first->tensors[0]));
  tensor.fill_(2);
  const auto second = *SnapshotWeights({{"w", tensor}}, memory);
  EXPECT_EQ(std::string(first->Bytes(first->tensors[0])), before);
  EXPECT_NE(second->digest, first->digest);
}

}  // namespace
}  // namespace trainyard::worker
