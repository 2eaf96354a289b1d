#include "eval/reward_client.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"

namespace trainyard::eval {
namespace {

v1::FinishReason ToWire(Finish finish) {
  switch (finish) {
    case Finish::kEnd:
      return v1::FINISH_END;
    case Finish::kStop:
      return v1::FINISH_STOP;
    case Finish::kLength:
      return v1::FINISH_LENGTH;
  }
  return v1::FINISH_UNSPECIFIED;
}

v1::ScoreItem ToWire(const RewardClient::Item& item) {
  v1::ScoreItem wire;
  wire.set_row(item.prompt->row);
  wire.set_sample(item.sample);
  wire.mutable_token_ids()->Add(item.prompt->token_ids.begin(), item.prompt->token_ids.end());
  wire.mutable_token_ids()->Add(item.answer->token_ids.begin(), item.answer->token_ids.end());
  wire.set_answer_begin(static_cast<int32_t>(item.prompt->token_ids.size()));
  wire.set_prompt(item.prompt->text);
  wire.set_answer(item.answer->text);
  wire.set_reference(ReferenceOf(*item.prompt));
  wire.set_finish(ToWire(item.answer->finish));
  return wire;
}

}  // namespace

RewardClient::RewardClient(const std::string& endpoint, const rpc::JobFence& fence)
    : endpoint_(endpoint),
      fence_(fence),
      stub_(v1::RewardService::NewStub(rpc::OpenChannel(endpoint))) {}

absl::Status RewardClient::Score(const std::vector<Item>& items,
                                 const std::string& tokenizer_sha256, absl::Duration timeout) {
  v1::ScoreRequest request;
  request.set_tokenizer_hash(tokenizer_sha256);
  for (const Item& item : items) *request.add_items() = ToWire(item);
  TY_ASSIGN_OR_RETURN(const v1::ScoreResponse response,
                      (rpc::Call<v1::RewardService::Stub, v1::ScoreRequest, v1::ScoreResponse>(
                          *stub_, &v1::RewardService::Stub::Score, request,
                          {.timeout = timeout, .fence = fence_})));
  std::map<std::pair<int64_t, int32_t>, const v1::ScoreResult*> results;
  for (const v1::ScoreResult& result : response.results()) {
    results[{result.row(), result.sample()}] = &result;
  }
  for (const Item& item : items) {
    if (!results.contains({item.prompt->row, item.sample})) {
      return absl::InternalError(absl::StrCat(endpoint_, " did not score row ", item.prompt->row));
    }
  }
  for (const Item& item : items) {
    const v1::ScoreResult& result = *results[{item.prompt->row, item.sample}];
    item.answer->score.reset();
    item.answer->score_error.clear();
    if (result.status() == v1::SCORE_OK && result.has_score()) {
      item.answer->score = result.score();
    } else {
      item.answer->score_error =
          absl::StrCat(v1::ScoreStatus_Name(result.status()), ": ", result.message());
    }
  }
  return absl::OkStatus();
}

}  // namespace trainyard::eval
