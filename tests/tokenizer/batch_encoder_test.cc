#include "tokenizer/batch_encoder.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/tokenizer/random_text.h"
#include "tokenizer/bpe_trainer.h"

namespace trainyard::tokenizer {
namespace {

class BatchEncoderTest : public ::testing::Test {
 protected:
  BatchEncoderTest() {
    auto trainer = *BpeTrainer::Create({600, {"<|end|>"}});
    for (int seed = 0; seed < 100; ++seed) trainer->Feed(RandomText(seed, 60));
    tokenizer_ = *Tokenizer::Create(*trainer->Finish());
    for (int seed = 0; seed < 500; ++seed) {
      kept_.push_back(RandomText(seed, 1 + seed % 70) + (seed % 5 == 0 ? "<|end|>" : ""));
      if (seed % 50 == 0) kept_.push_back("");
    }
    kept_.push_back(RandomText(1'000, 20'000));  // much longer than what a thread takes at a time
    texts_.assign(kept_.begin(), kept_.end());
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> kept_;
  std::vector<absl::string_view> texts_;
};

TEST_F(BatchEncoderTest, EveryNumberOfThreadsGivesTheIdsOfTheTokenizer) {
  for (const int threads : {1, 2, 3, 8}) {
    BatchEncoder encoder(*tokenizer_, threads);
    EncodedBatch batch;
    for (const AddedTokens added : {AddedTokens::kAsText, AddedTokens::kParse}) {
      for (int round = 0; round < 2; ++round) {  // the second with what the first remembers
        encoder.Encode(texts_, added, &batch);
        ASSERT_EQ(batch.size(), texts_.size());
        for (size_t i = 0; i < texts_.size(); ++i) {
          ASSERT_EQ(batch[i], added == AddedTokens::kParse ? tokenizer_->EncodeWithAdded(texts_[i])
                                                           : tokenizer_->Encode(texts_[i]))
              << threads << " threads, text " << i;
        }
      }
    }
  }
}

TEST_F(BatchEncoderTest, ABatchHoldsOnlyTheLastTexts) {
  BatchEncoder encoder(*tokenizer_, 0);  // one thread is the least
  EncodedBatch batch;
  encoder.Encode(texts_, AddedTokens::kAsText, &batch);
  encoder.Encode({"a", "", "b"}, AddedTokens::kAsText, &batch);
  ASSERT_EQ(batch.size(), 3);
  EXPECT_EQ(batch[0], tokenizer_->Encode("a"));
  EXPECT_TRUE(batch[1].empty());
  EXPECT_EQ(batch[2], tokenizer_->Encode("b"));
  encoder.Encode({}, AddedTokens::kAsText, &batch);
  EXPECT_EQ(batch.size(), 0);
}

}  // namespace
}  // namespace trainyard::tokenizer
