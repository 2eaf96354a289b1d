#include "worker/parameter_set.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "base/end_class.h"
#include "collective/local_group.h"

namespace trainyard::worker {
namespace {

class ParameterSetTest : public testing::Test {
 protected:
  std::unique_ptr<ParameterSet> Make(double clip_norm) {
    ParameterSetOptions options;
    options.name = "critic";
    options.clip_norm = clip_norm;
    return *ParameterSet::Create(parameters_, group_.get(), options);
  }

  // One micro-batch whose gradient is `slope` for every weight.
  void Backward(ParameterSet& set, double slope) {
    set.BeginStep();
    set.BeginMicroBatch(true);
    torch::autograd::backward({parameters_[0].tensor.sum() * slope}, {});
    set.Launch();
  }

  const std::unique_ptr<collective::Group> group_ = collective::SingleRankGroup();
  const NamedTensors parameters_ = {
      {"w", at::ones({16}, at::kDouble).set_requires_grad(true)}};
};

TEST_F(ParameterSetTest, DividesOnceByTheGlobalUnits) {
  const auto set = Make(0);
  Backward(*set, 6);
  const auto norm = set->Finish(3);
  ASSERT_TRUE(norm.ok());
  EXPECT_DOUBLE_EQ(*norm, 2 * 4);
  EXPECT_DOUBLE_EQ(set->reducer().gradients()[0][7].item<double>(), 2);
}

TEST_F(ParameterSetTest, ClipsToTheGlobalNormAndReportsTheOneBefore) {
  const auto set = Make(1.0);
  Backward(*set, 6);
  EXPECT_DOUBLE_EQ(*set->Finish(3), 8);
  EXPECT_NEAR(set->reducer().gradients()[0].norm().item<double>(), 1, 1e-12);
  Backward(*set, 0.1);
  EXPECT_NEAR(*set->Finish(1), 0.4, 1e-12);
  EXPECT_NEAR(set->reducer().gradients()[0].norm().item<double>(), 0.4, 1e-12);
}

TEST_F(ParameterSetTest, NamesTheTensorThatIsNotFinite) {
  const auto set = Make(1.0);
  Backward(*set, NAN);
  const absl::Status status = set->Finish(1).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_EQ(status.message(),
            "critic: the gradient of w has 16 of 16 values that are not finite");
  EXPECT_EQ(EndClassOf(status), EndClass::kNan);
  EXPECT_EQ(parameters_[0].tensor[0].item<double>(), 1) << "nothing was updated";
}

TEST_F(ParameterSetTest, UpdatesWithTheGradientsOfFinish) {
  const auto set = Make(1.0);
  Backward(*set, 5);
  ASSERT_TRUE(set->Finish(1).ok());
  set->Update(0.1);
  // The first AdamW step of a vector is lr * sign(g).
  EXPECT_NEAR(parameters_[0].tensor[3].item<double>(), 0.9, 1e-6);
}

}  // namespace
}  // namespace trainyard::worker
