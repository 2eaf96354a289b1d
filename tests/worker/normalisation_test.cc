#include "worker/normalisation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "base/atomic_file.h"
#include "collective/local_group.h"
#include "model/numerics.h"
#include "tests/model/tiny_model.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"
#include "tests/worker/tiny_batches.h"
#include "worker/micro_batch_tensors.h"

namespace trainyard::worker {
namespace {

// Two answers that ended and one that was cut off.
constexpr char kGenerated[] =
    R"({"prompt": "a", "answers": [{"text": "bc", "finish_reason": "stop"},)"
    R"( {"text": "defg", "finish_reason": "length"}]})"
    "\n"
    R"({"prompt": "h", "answers": [{"text": "ijk"}]})"
    "\n";

class ReferenceRows : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<data::MicroBatch>> Read(const std::string& rows,
                                                     const ReferenceOptions& options) {
    EXPECT_TRUE(WriteFileAtomically(dir_.File("rows.jsonl"), rows).ok());
    data::SourceSpec source;
    source.name = "reference";
    source.paths = {dir_.File("rows.jsonl")};
    tokenizer::ChatTemplateSpec chat;
    chat.roles["user"] = {"<user>", ""};
    chat.roles["assistant"] = {"<assistant>", "<end>"};
    chat.end_of_turn = "<end>";
    return ReferenceMicroBatches(source, *tokenizer::ChatTemplate::Bind(chat, *tokenizer_),
                                 options);
  }
  // Of every segment, as text.
  std::vector<std::string> Texts(const std::vector<data::MicroBatch>& batches) const {
    std::vector<std::string> texts;
    for (const data::MicroBatch& batch : batches) {
      for (int64_t s = 0; s < batch.segment_count(); ++s) {
        const std::vector<tokenizer::TokenId> ids(
            batch.token_ids_N.begin() + batch.segment_offsets[s],
            batch.token_ids_N.begin() + batch.segment_offsets[s + 1]);
        texts.push_back(tokenizer_->Decode(ids, tokenizer::SpecialTokens::kKeep));
      }
    }
    return texts;
  }

  const trainyard::testing::TempDir dir_;
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer_ =
      trainyard::testing::ByteTokenizer({"<user>", "<assistant>", "<end>"});
};

using Strings = std::vector<std::string>;

TEST_F(ReferenceRows, AnswersThatWereCutOffCountOnlyWhenAsked) {
  const auto finished = Read(kGenerated, {.max_tokens = 64});
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(Texts(*finished),
            (Strings{"<user>a<assistant>bc<end>", "<user>h<assistant>ijk<end>"}));
  const auto all = Read(kGenerated, {.finished_only = false, .max_tokens = 64});
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(Texts(*all), (Strings{"<user>a<assistant>bc<end>", "<user>a<assistant>defg<end>",
                                  "<user>h<assistant>ijk<end>"}));
}

TEST_F(ReferenceRows, ARowWithOneResponseIsOneAnswer) {
  const auto batches = Read(R"({"prompt": "a", "response": "b"})" "\n", {.max_tokens = 64});
  ASSERT_TRUE(batches.ok()) << batches.status();
  EXPECT_EQ(Texts(*batches), Strings{"<user>a<assistant>b<end>"});
}

TEST_F(ReferenceRows, MicroBatchesStayUnderTheirBudgetAndPositionsStartAnew) {
  // Segments of 6, 8 and 7 tokens.
  const auto batches =
      Read(kGenerated, {.finished_only = false, .max_tokens = 64, .micro_batch_tokens = 14});
  ASSERT_TRUE(batches.ok()) << batches.status();
  ASSERT_EQ(batches->size(), 2);
  EXPECT_EQ((*batches)[0].segment_offsets, (std::vector<int32_t>{0, 6, 14}));
  EXPECT_EQ((*batches)[1].segment_offsets, (std::vector<int32_t>{0, 7}));
  EXPECT_EQ((*batches)[0].positions_N[6], 0);
}

TEST_F(ReferenceRows, AnAnswerThatIsTooLongIsLeftOut) {
  const auto batches = Read(kGenerated, {.max_tokens = 6});
  ASSERT_TRUE(batches.ok()) << batches.status();
  EXPECT_EQ(Texts(*batches), Strings{"<user>a<assistant>bc<end>"});
  const absl::Status none = Read(kGenerated, {.max_tokens = 5}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(none)) << none;
  EXPECT_NE(none.message().find("reference: no finished answer of at most 5 tokens"),
            std::string::npos) << none;
}

TEST_F(ReferenceRows, ARowWithoutAnswersIsNamed) {
  const absl::Status status = Read(R"({"prompt": "a"})" "\n", {.max_tokens = 64}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("rows.jsonl:1"), std::string::npos) << status;
}

class FitNormalisationTest : public ::testing::Test {
 protected:
  FitNormalisationTest() { model::SetComputeThreads(1); }
  absl::StatusOr<model::ModelCard::Normalisation> Fit(
      const std::vector<data::MicroBatch>& batches) {
    return FitNormalisation(model_, batches, /*dealt=*/true, group_.get());
  }

  const model::Model model_ =
      model::TinyModel(model::Family::kLlama, at::kDouble, model::Head::kScalar);
  const std::unique_ptr<collective::Group> group_ = collective::SingleRankGroup();
  const std::vector<data::MicroBatch> batches_ = {MicroBatchOf({{7, 8, 9}, {4, 5}}),
                                                  MicroBatchOf({{11, 12}}),
                                                  MicroBatchOf({{20, 21, 22, 23}})};
};

TEST_F(FitNormalisationTest, IsMeanAndDeviationOfTheScoresOfLastTokens) {
  std::vector<double> scores;
  for (const data::MicroBatch& batch : batches_) {
    const auto packed = PackMicroBatch(model_, batch);
    const at::Tensor scores_G =
        model::ScalarScores(model_, model::Forward(model_, *packed), LastRows(*packed));
    for (int64_t i = 0; i < scores_G.size(0); ++i) scores.push_back(scores_G[i].item<double>());
  }
  ASSERT_EQ(scores.size(), 4);
  double mean = 0, variance = 0;
  for (const double score : scores) mean += score / 4;
  for (const double score : scores) variance += (score - mean) * (score - mean) / 4;
  const auto fitted = Fit(batches_);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->samples, 4);
  EXPECT_NEAR(fitted->mean, mean, 1e-12);
  EXPECT_NEAR(fitted->deviation, std::sqrt(variance), 1e-9);
}

TEST_F(FitNormalisationTest, RanksDealSharedBatchesOrScoreAllOfTheirOwn) {
  const auto one = Fit(batches_);
  auto groups = collective::LocalGroups(2, absl::Seconds(30));
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < 2; ++rank) {
    ranks.emplace_back([&, rank] {
      const auto dealt = FitNormalisation(model_, batches_, true, groups[rank].get());
      EXPECT_EQ(dealt->samples, 4);
      EXPECT_NEAR(dealt->mean, one->mean, 1e-12);
      EXPECT_NEAR(dealt->deviation, one->deviation, 1e-9);
      const auto own = FitNormalisation(model_, batches_, false, groups[rank].get());
      EXPECT_EQ(own->samples, 8);
      EXPECT_NEAR(own->mean, one->mean, 1e-12);
    });
  }
  for (std::thread& rank : ranks) rank.join();
}

TEST_F(FitNormalisationTest, OneAnswerIsTooFew) {
  const absl::Status status = Fit({MicroBatchOf({{7, 8}})}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("there are 1"), std::string::npos) << status;
}

TEST_F(FitNormalisationTest, ScoresThatAreAllTheSameHaveNoDeviation) {
  // Their sums round: what is left of the difference is no deviation to divide a reward by.
  for (int answers = 2; answers < 60; ++answers) {
    const std::vector<data::MicroBatch> same(answers, MicroBatchOf({{7, 8, 9}}));
    const absl::Status status = Fit(same).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << answers << ": " << status;
  }
}

}  // namespace
}  // namespace trainyard::worker
