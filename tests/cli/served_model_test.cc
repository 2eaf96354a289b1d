#include "cli/served_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/cli/chat_model.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class ServedModelTest : public VerbTest {
 protected:
  ServedModelTest() {
    model_.set_uri("root://data/model");
    prompt_.add_prompts()->add_token_ids('x');
    prompt_.mutable_prompts(0)->set_n(1);
  }
  // Starts it beside a node whose rollout task serves at `endpoint`.
  absl::StatusOr<std::unique_ptr<ServedModel>> Start(const std::string& endpoint) {
    absl::StatusOr<std::unique_ptr<ServedModel>> served = absl::UnknownError("not started");
    std::thread starting([&] { served = ServedModel::Start(client_, model_); });
    node().Serve("", "rollout/0", endpoint);
    starting.join();
    return served;
  }
  std::string OnlyJob() {
    const auto jobs = client_.ListJobs(v1::ListJobsRequest());
    return jobs.ok() && jobs->jobs_size() == 1 ? jobs->jobs(0).id() : "not one job";
  }
  static void Nothing(const v1::TokenDelta&) {}

  Client client_{address()};
  v1::FileRef model_;
  v1::GenerateRequest prompt_;
  FakeChatTask task_;
};

TEST_F(ServedModelTest, AnAnswerComesAsItIsDrawnUnderTheJobsRight) {
  const auto served = Start(task_.endpoint());
  ASSERT_TRUE(served.ok()) << served.status();
  task_.Answer({"hello"});
  std::string text;
  const auto answer =
      (*served)->Generate(prompt_, [&](const v1::TokenDelta& delta) { text += delta.text(); });
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(text, "hello");
  EXPECT_EQ(answer->token_ids_size(), 7);
  EXPECT_EQ(task_.last_job(), OnlyJob());
  const v1::JobSpec spec = Job(OnlyJob()).spec();
  EXPECT_TRUE(spec.generate().serve());
  EXPECT_EQ(spec.generate().model().uri(), "root://data/model");
}

TEST_F(ServedModelTest, TheJobIsCancelledWithIt) {
  auto served = Start(task_.endpoint());
  ASSERT_TRUE(served.ok()) << served.status();
  served->reset();
  EXPECT_EQ(Job(OnlyJob()).desired(), v1::CANCEL);
}

TEST_F(ServedModelTest, AnAnswerThatIsLostBeforeItBeginsIsDrawnAgain) {
  const auto served = Start(task_.endpoint());
  ASSERT_TRUE(served.ok()) << served.status();
  task_.Refuse(2);
  EXPECT_TRUE((*served)->Generate(prompt_, Nothing).ok());
  EXPECT_EQ(task_.prompts().size(), 3u);
}

TEST_F(ServedModelTest, ATaskThatCanNotBeReachedIsNamedWithWhatToDo) {
  const auto served = Start("127.0.0.1:1");
  ASSERT_TRUE(served.ok()) << served.status();
  const auto answer = (*served)->Generate(prompt_, Nothing);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer.status().message()),
              HasSubstr("the rollout task at 127.0.0.1:1 can not be reached from here"));
  EXPECT_THAT(std::string(answer.status().message()),
              HasSubstr("run the chat on a machine that reaches the nodes"));
}

TEST_F(ServedModelTest, AJobThatIsOverIsToldInsteadOfAnAnswer) {
  const auto served = Start(task_.endpoint());
  ASSERT_TRUE(served.ok()) << served.status();
  ASSERT_TRUE(client_.Cancel(OnlyJob(), "enough").ok());
  task_.Refuse(1000);
  EXPECT_EQ((*served)->Generate(prompt_, Nothing).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ServedModelTest, AnInterruptEndsTheCallAtTheServer) {
  const auto served = Start(task_.endpoint());
  ASSERT_TRUE(served.ok()) << served.status();
  task_.Answer({"", "again"});
  const auto answer =
      (*served)->Generate(prompt_, [&](const v1::TokenDelta&) { (*served)->Interrupt(); });
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(task_.WasCancelled());
  EXPECT_TRUE((*served)->Generate(prompt_, Nothing).ok()) << "the next call is another";
}

TEST_F(ServedModelTest, AJobThatFailsBeforeItServesIsTold) {
  absl::StatusOr<std::unique_ptr<ServedModel>> served = absl::UnknownError("not started");
  std::thread starting([&] { served = ServedModel::Start(client_, model_); });
  node().Exit("", "rollout/0", v1::END_USER_ERROR, "no model there");
  starting.join();
  EXPECT_EQ(served.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(served.status().message()), HasSubstr("user_error: no model there"));
}

}  // namespace
}  // namespace trainyard::cli
