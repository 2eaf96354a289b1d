#include "worker/batch_perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/training_world.h"

namespace trainyard::worker {
namespace {

TEST(BatchPerplexity, AgreesWithTheValidationOfTraining) {
  TrainingWorld world;
  TrainJob job = world.Job(TrainKind::kPretrain, checkpoint::DType::kF32);
  job.validation = job.train;
  const RunEnd end = world.Run(job, {});
  ASSERT_TRUE(end.finished()) << end.outcomes[0].status();
  PerplexityJob measure;
  measure.model = end.directory;
  measure.sources = job.train.sources;
  measure.window = job.train.max_tokens;
  const auto metrics = MeasurePerplexity(measure);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  const auto& validation = end.metrics.at(12);
  EXPECT_NEAR(metrics->at("loss"), validation.at("eval_loss"), 1e-5);
  EXPECT_NEAR(metrics->at("bits_per_byte"), validation.at("eval_bits_per_byte"), 1e-5);
  EXPECT_DOUBLE_EQ(metrics->at("perplexity"), std::exp(metrics->at("loss")));
}

TEST(BatchPerplexity, NamesTheModelThatIsNotThere) {
  PerplexityJob measure;
  measure.model = "/nowhere";
  const absl::Status status = MeasurePerplexity(measure).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find("/nowhere"), std::string::npos) << status;
}

}  // namespace
}  // namespace trainyard::worker
