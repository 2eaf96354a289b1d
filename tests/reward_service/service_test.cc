#include "reward_service/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "reward_service/reward_server.h"
#include "rpc/call.h"
#include "rpc/channel.h"

namespace trainyard::reward_service {
namespace {

using ::testing::HasSubstr;

// A whole server over real gRPC on a free port.
class RewardServiceTest : public ::testing::Test {
 protected:
  RewardServiceTest() {
    RewardServerOptions options;
    options.job.options.components = {{"exact", 1, ExactMatchOptions{}},
                                      {"digits", 0.5, RegexOptions{"\\d", 1}}};
    auto server = RewardServer::Start(std::move(options));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::RewardService::NewStub(rpc::OpenChannel(server_->endpoint()));
  }

  static v1::ScoreRequest Request(int items) {
    v1::ScoreRequest request;
    for (int i = 0; i < items; ++i) {
      v1::ScoreItem* item = request.add_items();
      item->set_row(10 + i);
      item->set_sample(i % 3);
      item->add_token_ids(1);
      item->set_answer(i % 2 == 0 ? "42" : "yes");
      item->set_reference("42");
    }
    return request;
  }

  std::unique_ptr<RewardServer> server_;
  std::unique_ptr<v1::RewardService::Stub> stub_;
};

TEST_F(RewardServiceTest, ResultsComeInOrderWithRawComponents) {
  const auto response =
      rpc::Call(*stub_, &v1::RewardService::Stub::Score, Request(600), {});
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->results_size(), 600);
  for (int i = 0; i < 600; ++i) {
    const v1::ScoreResult& result = response->results(i);
    EXPECT_EQ(result.row(), 10 + i);
    EXPECT_EQ(result.sample(), i % 3);
    EXPECT_EQ(result.status(), v1::SCORE_OK);
    EXPECT_EQ(result.score(), i % 2 == 0 ? 1.5 : 0);
    ASSERT_EQ(result.components_size(), 2);
    EXPECT_EQ(result.components(0).component(), "exact");
  }
}

TEST_F(RewardServiceTest, AFailureIsAStatusWithoutAScore) {
  v1::ScoreRequest request = Request(2);
  request.mutable_items(1)->clear_reference();
  const auto response = rpc::Call(*stub_, &v1::RewardService::Stub::Score, request, {});
  ASSERT_TRUE(response.ok());
  EXPECT_TRUE(response->results(0).has_score());
  EXPECT_FALSE(response->results(1).has_score());
  EXPECT_EQ(response->results(1).status(), v1::SCORE_VERIFIER_ERROR);
  EXPECT_THAT(response->results(1).message(), HasSubstr("exact"));
}

TEST_F(RewardServiceTest, AStreamGivesEachResultOnce) {
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = absl::Seconds(30)}, &context);
  const auto reader = stub_->ScoreStream(&context, Request(300));
  std::set<int64_t> rows;
  v1::ScoreResult result;
  while (reader->Read(&result)) EXPECT_TRUE(rows.insert(result.row()).second);
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(rows.size(), 300u);
}

TEST_F(RewardServiceTest, TheSpecHasItsIdentity) {
  const auto spec =
      rpc::Call(*stub_, &v1::RewardService::Stub::GetSpec, v1::GetRewardSpecRequest(), {});
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->spec_hash().size(), 64u);
  EXPECT_FALSE(spec->numerics_id().empty());
  const auto load =
      rpc::Call(*stub_, &v1::RewardService::Stub::GetLoad, v1::GetRewardLoadRequest(), {});
  ASSERT_TRUE(load.ok());
  EXPECT_EQ(load->queued(), 0);
}

TEST_F(RewardServiceTest, AnAnswerThatBeginsBehindItsTokensIsRefused) {
  v1::ScoreRequest request = Request(2);
  request.mutable_items(1)->set_answer_begin(2);
  const auto response = rpc::Call(*stub_, &v1::RewardService::Stub::Score, request, {});
  EXPECT_THAT(std::string(response.status().message()), HasSubstr("items[1].answer_begin is 2"));
}

}  // namespace
}  // namespace trainyard::reward_service
