#include "worker/micro_batch_tensors.h"

#include <gtest/gtest.h>

#include "tests/model/tiny_model.h"
#include "tests/worker/tiny_batches.h"

namespace trainyard::worker {
namespace {

std::vector<int64_t> Longs(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kLong).contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

class MicroBatchTensors : public ::testing::Test {
 protected:
  const model::Model model_ = model::TinyModel(model::Family::kLlama, at::kDouble);
  data::MicroBatch batch_ = MicroBatchOf({{7, 8, 9}, {4, 5}});
};

TEST_F(MicroBatchTensors, RowsArePaddedAndSegmentsStay) {
  const auto packed = PackMicroBatch(model_, batch_);
  ASSERT_TRUE(packed.ok()) << packed.status();
  ASSERT_EQ(packed->token_ids_N.size(0), 16);
  EXPECT_EQ(Longs(packed->token_ids_N.narrow(0, 0, 5)), (std::vector<int64_t>{7, 8, 9, 4, 5}));
  EXPECT_EQ(Longs(packed->positions_N.narrow(0, 0, 5)), (std::vector<int64_t>{0, 1, 2, 0, 1}));
  EXPECT_EQ(packed->segment_offsets, (std::vector<int64_t>{0, 3, 5}));
  EXPECT_EQ(packed->token_ids_N.device(), DeviceOf(model_));
}

TEST_F(MicroBatchTensors, ATokenOrPositionOutsideOfTheModelIsNamed) {
  batch_.token_ids_N[3] = 96;
  absl::Status status = PackMicroBatch(model_, batch_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("96"), std::string::npos) << status;
  batch_ = MicroBatchOf({{7, 8, 9}});
  batch_.positions_N[2] = 64;
  status = PackMicroBatch(model_, batch_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("64"), std::string::npos) << status;
}

TEST_F(MicroBatchTensors, PaddingAndTokensWithoutATargetWeighNothing) {
  batch_.loss_weights_N[1] = 0.5;
  batch_.loss_weights_N[2] = 1;  // of a token without a target
  const model::CrossEntropyTargets targets =
      TargetsOf(batch_, *PackMicroBatch(model_, batch_));
  const at::Tensor expected_weights = at::zeros({16}, at::kFloat);
  expected_weights[0] = 1;
  expected_weights[1] = 0.5;
  expected_weights[3] = 1;
  EXPECT_TRUE(at::equal(targets.weights_N, expected_weights)) << targets.weights_N;
  EXPECT_EQ(Longs(targets.targets_N.narrow(0, 0, 4)), (std::vector<int64_t>{8, 9, 0, 5}));
}

TEST_F(MicroBatchTensors, ASegmentIsReadAtItsLastToken) {
  EXPECT_EQ(Longs(LastRows(*PackMicroBatch(model_, batch_))), (std::vector<int64_t>{2, 4}));
}

}  // namespace
}  // namespace trainyard::worker
