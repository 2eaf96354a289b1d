#include "reward_service/service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "rpc/status.h"

namespace trainyard::reward_service {
namespace {

constexpr absl::Duration kCancelCheck = absl::Milliseconds(10);

absl::StatusOr<std::vector<ScoreItem>> ReadItems(const v1::ScoreRequest& request) {
  std::vector<ScoreItem> items;
  for (const v1::ScoreItem& wire : request.items()) {
    ScoreItem item;
    item.row = wire.row();
    item.sample = wire.sample();
    item.token_ids.assign(wire.token_ids().begin(), wire.token_ids().end());
    item.answer_begin = wire.answer_begin();
    item.prompt = wire.prompt();
    item.answer = wire.answer();
    item.reference = wire.reference();
    if (item.answer_begin < 0 || item.answer_begin > wire.token_ids_size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("items[", items.size(), "].answer_begin is ", item.answer_begin,
                       ", must be in 0..", wire.token_ids_size()));
    }
    items.push_back(std::move(item));
  }
  return items;
}

v1::ScoreStatus WriteStatus(ScoreStatus status) {
  switch (status) {
    case ScoreStatus::kOk:
      return v1::SCORE_OK;
    case ScoreStatus::kTimeout:
      return v1::SCORE_TIMEOUT;
    case ScoreStatus::kVerifierError:
      return v1::SCORE_VERIFIER_ERROR;
    case ScoreStatus::kModelError:
      return v1::SCORE_MODEL_ERROR;
    case ScoreStatus::kRejected:
      return v1::SCORE_REJECTED;
  }
  return v1::SCORE_STATUS_UNSPECIFIED;
}

v1::ScoreResult WriteResult(const ScoredItem& scored, absl::Span<const std::string> names) {
  v1::ScoreResult wire;
  wire.set_row(scored.row);
  wire.set_sample(scored.sample);
  for (size_t i = 0; i < scored.components.size(); ++i) {
    const ComponentScore& from = scored.components[i];
    v1::ComponentScore* component = wire.add_components();
    component->set_component(names[i]);
    component->set_at_token(from.at_token);
    component->set_raw(from.raw);
    component->set_value(from.value);
    component->set_status(WriteStatus(from.status));
    component->set_message(from.message);
  }
  if (scored.combined.score.has_value()) wire.set_score(*scored.combined.score);
  wire.set_status(WriteStatus(scored.combined.status));
  wire.set_message(scored.combined.message);
  return wire;
}

}  // namespace

absl::Status RewardService::Forward(
    grpc::ServerContext* context, const v1::ScoreRequest& request,
    const std::function<absl::Status(const ScoredItem&)>& take) const {
  const std::string& theirs = request.tokenizer_hash();
  const std::string& mine = identity_.tokenizer_sha256;
  if (!theirs.empty() && !mine.empty() && theirs != mine) {
    return absl::FailedPreconditionError(absl::StrCat(
        "tokens were made with tokenizer ", theirs, ", the reward model's is ", mine));
  }
  TY_ASSIGN_OR_RETURN(std::vector<ScoreItem> items, ReadItems(request));
  const size_t count = items.size();
  const absl::Time now = clock_.Now();
  const absl::Time deadline =
      std::min(absl::FromChrono(context->deadline()), now + kDefaultScoreTimeout);
  // A little earlier than the client's, so that late items arrive as kTimeout.
  const absl::Time score_by = now + (deadline - now) * 0.95;
  TY_ASSIGN_OR_RETURN(const auto results, loop_->Submit(std::move(items), score_by));
  absl::Status status;
  for (size_t taken = 0; taken < count && status.ok();) {
    const std::optional<ScoredItem> scored = results->Pop(kCancelCheck);
    if (scored.has_value()) {
      ++taken;
      status = take(*scored);
    } else if (context->IsCancelled()) {
      status = absl::CancelledError("the client went away");
    } else if (clock_.Now() >= deadline) {
      status = absl::DeadlineExceededError(
          absl::StrCat(taken, " of ", count, " items were scored in time"));
    }
  }
  results->Close();
  return status;
}

grpc::Status RewardService::Score(grpc::ServerContext* context, const v1::ScoreRequest* request,
                                  v1::ScoreResponse* response) {
  // Chunks of a call are scored in the order of its items.
  const absl::Status status = Forward(context, *request, [&](const ScoredItem& scored) {
    *response->add_results() = WriteResult(scored, loop_->facts().names);
    return absl::OkStatus();
  });
  return rpc::ToGrpc(status, context);
}

grpc::Status RewardService::ScoreStream(grpc::ServerContext* context,
                                        const v1::ScoreRequest* request,
                                        grpc::ServerWriter<v1::ScoreResult>* writer) {
  const absl::Status status = Forward(context, *request, [&](const ScoredItem& scored) {
    return writer->Write(WriteResult(scored, loop_->facts().names))
               ? absl::OkStatus()
               : absl::CancelledError("the client went away");
  });
  return rpc::ToGrpc(status, context);
}

grpc::Status RewardService::GetSpec(grpc::ServerContext*, const v1::GetRewardSpecRequest*,
                                    v1::GetRewardSpecResponse* response) {
  const RewardFacts& facts = loop_->facts();
  *response->mutable_spec() = identity_.spec;
  response->set_tokenizer_hash(identity_.tokenizer_sha256);
  response->set_spec_hash(facts.hash);
  response->set_numerics_id(identity_.numerics_id);
  if (facts.learned.has_value()) {
    response->set_mean(facts.learned->mean);
    response->set_std(facts.learned->deviation);
  }
  return grpc::Status::OK;
}

grpc::Status RewardService::GetLoad(grpc::ServerContext*, const v1::GetRewardLoadRequest*,
                                    v1::GetRewardLoadResponse* response) {
  const ScoringLoad load = loop_->load();
  response->set_queued(load.queued);
  response->set_running(load.running);
  response->set_scores_per_second(load.scores_per_second);
  return grpc::Status::OK;
}

}  // namespace trainyard::reward_service
