#include "tests/worker/served_learner.h"

#include <utility>

#include "rpc/status.h"

namespace trainyard::worker {

ServedLearner::ServedLearner(Progress on_progress) {
  thread_ = std::thread([this, report = std::move(on_progress)] {
    learner_ = SoleLearner(TinyOptions(checkpoint::DType::kF32), tiny_.models());
    server_ = *PolicyServer::Start(
        {.advertise = "127.0.0.1", .fence = fence_, .numerics_id = "cpu", .on_progress = report},
        learner_.get(), &compute_, &roots_);
    ready_.Notify();
    compute_.Serve([this] { return stop_.HasBeenNotified(); });
  });
  ready_.WaitForNotification();
  channel_ = rpc::OpenChannel(server_->endpoint());
  stub_ = v1::PolicyService::NewStub(channel_);
}

ServedLearner::~ServedLearner() {
  stop_.Notify();
  thread_.join();
  server_->Shutdown(absl::ZeroDuration());
}

std::vector<v1::UpdateRequest> ServedLearner::Requests(const UpdateInput& input) {
  std::vector<v1::UpdateRequest> requests(3);
  v1::UpdateBegin* const begin = requests[0].mutable_begin();
  begin->set_iteration(input.iteration);
  begin->set_base_version(input.base_version);
  begin->set_digest(input.digest);
  begin->set_beta(input.beta);
  begin->set_sample_count(static_cast<int>(input.trajectories.size()));
  for (const auto& minibatches : input.plan.passes) {
    v1::UpdatePass* const pass = begin->mutable_plan()->add_passes();
    for (const rl::Minibatch& minibatch : minibatches) {
      v1::UpdateMinibatch* const to = pass->add_minibatches();
      to->set_token_count(minibatch.trained_tokens);
      const rl::RowIndices& share = minibatch.shares[0];
      to->add_shares()->mutable_samples()->Add(share.begin(), share.end());
    }
  }
  for (const rl::Trajectory& trajectory : input.trajectories) {
    v1::Trajectory* const to = requests[1].mutable_trajectories()->add_trajectories();
    to->set_row(trajectory.row);
    to->mutable_token_ids()->Add(trajectory.token_ids.begin(), trajectory.token_ids.end());
    to->mutable_logprobs()->Add(trajectory.log_probs.begin(), trajectory.log_probs.end());
    to->mutable_log_kept_mass()->Add(trajectory.log_kept_mass.begin(),
                                     trajectory.log_kept_mass.end());
    for (const rl::Span& span : trajectory.spans) {
      v1::Span* const part = to->add_spans();
      part->set_begin(static_cast<int>(span.begin));
      part->set_end(static_cast<int>(span.end));
      part->set_source(span.train ? v1::Span::MODEL : v1::Span::PROMPT);
      part->set_train(span.train);
      part->set_policy_version(span.policy_version);
    }
    to->set_finish(trajectory.finish == rl::FinishReason::kStop ? v1::FINISH_END
                                                                : v1::FINISH_LENGTH);
    to->set_score(trajectory.reward);
    to->set_score_status(v1::SCORE_OK);
  }
  requests[2].mutable_end();
  return requests;
}

absl::StatusOr<v1::UpdateResult> ServedLearner::Update(
    const std::vector<v1::UpdateRequest>& requests, int* progress) {
  grpc::ClientContext context;
  rpc::PrepareContext(Options(), &context);
  const auto stream = stub_->Update(&context);
  for (const v1::UpdateRequest& request : requests) stream->Write(request);
  stream->WritesDone();
  v1::UpdateResult result;
  v1::UpdateResponse response;
  while (stream->Read(&response)) {
    if (response.has_result()) result = response.result();
    if (response.has_progress() && progress != nullptr) ++*progress;
  }
  const absl::Status status = rpc::FromGrpc(stream->Finish(), context);
  if (!status.ok()) return status;
  return result;
}

absl::StatusOr<v1::WeightsManifest> ServedLearner::Publish(int64_t version) {
  v1::PublishRequest request;
  request.set_version(version);
  return rpc::Call(*stub_, &v1::PolicyService::Stub::Publish, request, Options());
}

}  // namespace trainyard::worker
