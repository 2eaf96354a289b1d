#include "eval/answer_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

class AnswerLogTest : public EvalTest {
 protected:
  absl::StatusOr<std::unique_ptr<AnswerLog>> Open(uint64_t epoch,
                                                  const std::string& identity = "id") {
    return AnswerLog::Open({directory_ + "/runs/job", epoch, "answers", identity});
  }
  static AnsweredRow Row(int64_t number, const std::string& text) {
    return {number, {{text, {1, 2}, -1, Finish::kEnd, std::nullopt, ""}}};
  }
  absl::Status Append(AnswerLog* log, const std::vector<AnsweredRow>& rows) {
    return log->Append(rows, [this](int64_t) -> const data::Prompt& { return prompt_; });
  }
  std::string Path(uint64_t epoch) const {
    return directory_ + "/runs/job/e" + std::to_string(epoch) + "/answers.progress.jsonl";
  }
  data::Prompt prompt_;
};

TEST_F(AnswerLogTest, TheNextAttemptReadsWhatEarlierOnesHaveFinished) {
  {
    const auto first = *Open(1);
    ASSERT_TRUE(Append(first.get(), {Row(4, "a"), Row(2, "b")}).ok());
  }
  {
    const auto second = *Open(3);
    EXPECT_EQ(second->rows().size(), 2);
    ASSERT_TRUE(Append(second.get(), {Row(9, "c")}).ok());
  }
  const auto third = *Open(4);
  ASSERT_EQ(third->rows().size(), 3);
  EXPECT_EQ(third->rows().at(2).answers[0].text, "b");
  EXPECT_EQ(third->rows().at(9).answers[0].text, "c");
}

TEST_F(AnswerLogTest, ALineTornByTheCrashIsDroppedAndTheRestKept) {
  ASSERT_TRUE(Append(Open(1)->get(), {Row(1, "a"), Row(2, "b")}).ok());
  std::filesystem::resize_file(Path(1), std::filesystem::file_size(Path(1)) - 5);
  const auto next = Open(2);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ((*next)->rows().size(), 1);
}

TEST_F(AnswerLogTest, DamageInTheMiddleIsDataLoss) {
  ASSERT_TRUE(Append(Open(1)->get(), {Row(1, "a"), Row(2, "b")}).ok());
  std::fstream file(Path(1), std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(std::string("{\"identity\":\"id\"}\n").size()));
  file.put('!');
  file.close();
  EXPECT_EQ(Open(2).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(AnswerLogTest, AnswersToOtherPromptsAreRefused) {
  ASSERT_TRUE(Append(Open(1)->get(), {Row(1, "a")}).ok());
  EXPECT_EQ(Open(2, "other").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AnswerLogTest, AnOldAttemptThatIsStillAliveHarmsNothing) {
  const auto old = *Open(1);
  const auto next = *Open(2);
  ASSERT_TRUE(Append(next.get(), {Row(1, "new")}).ok());
  ASSERT_TRUE(Append(old.get(), {Row(1, "old")}).ok());
  EXPECT_EQ((*Open(3))->rows().at(1).answers[0].text, "new");
  EXPECT_FALSE(Open(3).ok());  // an attempt has one log
}

}  // namespace
}  // namespace trainyard::eval
