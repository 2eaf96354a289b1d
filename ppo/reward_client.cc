#include "ppo/reward_client.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ppo/wire.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"

namespace trainyard::ppo {
namespace {

v1::ScoreItem ItemOf(const Answer& answer) {
  const rl::Trajectory& trajectory = answer.trajectory;
  v1::ScoreItem item;
  item.set_row(trajectory.row);
  item.set_sample(static_cast<int32_t>(trajectory.sample));
  item.mutable_token_ids()->Add(trajectory.token_ids.begin(), trajectory.token_ids.end());
  item.set_answer_begin(static_cast<int32_t>(rl::TrainedTokens(trajectory).front()));
  item.set_prompt(answer.prompt);
  item.set_answer(answer.text);
  item.set_reference(answer.reference);
  item.set_finish(trajectory.finish == rl::FinishReason::kStop ? v1::FINISH_END
                                                               : v1::FINISH_LENGTH);
  return item;
}

}  // namespace

RewardClient::RewardClient(const std::string& endpoint, const rpc::JobFence& fence)
    : endpoint_(endpoint),
      fence_(fence),
      stub_(v1::RewardService::NewStub(rpc::OpenChannel(endpoint))) {}

absl::StatusOr<RewardSpec> RewardClient::GetSpec(absl::Duration timeout) {
  TY_ASSIGN_OR_RETURN(
      const v1::GetRewardSpecResponse response,
      rpc::Call(*stub_, &v1::RewardService::Stub::GetSpec, v1::GetRewardSpecRequest(),
                {.timeout = timeout, .retries = 3, .fence = fence_, .wait_for_ready = true}));
  return RewardSpec{response.tokenizer_hash(), response.spec_hash()};
}

absl::Status RewardClient::Score(std::vector<Answer>& answers, const std::string& tokenizer_hash,
                                 absl::Duration timeout, CancelScope* scope) {
  v1::ScoreRequest request;
  for (const Answer& answer : answers) *request.add_items() = ItemOf(answer);
  request.set_tokenizer_hash(tokenizer_hash);
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = timeout, .fence = fence_}, &context);
  std::optional<CancelScope::Attached> attached;
  if (scope != nullptr) attached.emplace(scope, &context);
  v1::ScoreResponse response;
  const grpc::Status called = stub_->Score(&context, request, &response);
  TY_RETURN_IF_ERROR(rpc::FromGrpc(called, context));

  std::map<std::pair<int64_t, int64_t>, const v1::ScoreResult*> results;
  for (const v1::ScoreResult& result : response.results()) {
    results[{result.row(), result.sample()}] = &result;
  }
  std::vector<rl::Trajectory> scored;
  for (const Answer& answer : answers) {
    scored.push_back(answer.trajectory);
    const auto found = results.find({scored.back().row, scored.back().sample});
    if (found == results.end()) {
      return absl::InternalError(absl::StrCat(endpoint_, " gave no result for ledger row ",
                                              scored.back().row, " sample ",
                                              scored.back().sample));
    }
    TY_RETURN_IF_ERROR(ApplyScore(*found->second, scored.back()));
  }
  for (size_t i = 0; i < answers.size(); ++i) answers[i].trajectory = std::move(scored[i]);
  return absl::OkStatus();
}

}  // namespace trainyard::ppo
