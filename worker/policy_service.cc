#include "worker/policy_service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bounded_queue.h"
#include "base/cause.h"
#include "base/status.h"
#include "rpc/status.h"
#include "wire/trajectory.h"
#include "worker/policy_wire.h"

namespace trainyard::worker {
namespace {

// A caller without a deadline waits no longer than this.
constexpr absl::Duration kLongestCall = absl::Hours(1);

absl::Duration TimeLeft(const grpc::ServerContext& context) {
  const absl::Duration left = absl::FromChrono(context.deadline()) - absl::Now();
  return std::clamp(left, absl::ZeroDuration(), kLongestCall);
}

absl::StatusOr<UpdateInput> ReadUpdate(
    grpc::ServerReaderWriter<v1::UpdateResponse, v1::UpdateRequest>* stream) {
  v1::UpdateRequest request;
  if (!stream->Read(&request) || !request.has_begin()) {
    return absl::InvalidArgumentError("an update begins with UpdateBegin");
  }
  UpdateInput input;
  const v1::UpdateBegin begin = request.begin();
  input.iteration = begin.iteration();
  input.base_version = begin.base_version();
  input.digest = begin.digest();
  input.plan = wire::PlanFromWire(begin.plan());
  input.beta = begin.beta();
  input.critic_only = begin.critic_only();
  bool ended = false;
  while (!ended && stream->Read(&request)) {
    ended = request.has_end();
    for (const v1::Trajectory& message : request.trajectories().trajectories()) {
      TY_ASSIGN_OR_RETURN(rl::Trajectory trajectory, wire::ScoredFromWire(message));
      input.trajectories.push_back(std::move(trajectory));
    }
  }
  if (!ended) return absl::CancelledError("the update's stream broke before UpdateEnd");
  if (static_cast<int64_t>(input.trajectories.size()) != begin.sample_count()) {
    return absl::InvalidArgumentError(absl::StrCat(input.trajectories.size(), " samples came, ",
                                                   begin.sample_count(), " were announced"));
  }
  const std::string digest = rl::DigestUpdate(input.plan, input.trajectories);
  if (digest != input.digest) {
    return absl::DataLossError(absl::StrCat("the update's digest is ", digest, ", announced was ",
                                            input.digest));
  }
  return input;
}

void FillSave(const std::vector<checkpoint::FileRecord>& files, v1::SaveResponse* response) {
  for (const checkpoint::FileRecord& file : files) {
    v1::SavedFile* to = response->add_files();
    to->set_name(file.path);
    to->set_size_bytes(static_cast<int64_t>(file.size_bytes));
    to->set_xxh3(file.xxh3);
  }
}

absl::Status WithNotFiniteDetail(const absl::Status& status) {
  if (CauseOf(status) != EndClass::kNan) return status;
  return rpc::WithDetail(status, {.reason = kNotFiniteReason,
                                  .remedy = "lower the learning rate or look at the rewards; the "
                                            "last commit is untouched"});
}

}  // namespace

template <typename T>
absl::StatusOr<T> PolicyService::OnCompute(grpc::ServerContext* context,
                                           std::function<absl::StatusOr<T>()> body) {
  return context_.compute->Run<T>(std::move(body), TimeLeft(*context));
}

grpc::Status PolicyService::GetSpec(grpc::ServerContext* context, const v1::GetPolicySpecRequest*,
                                    v1::GetPolicySpecResponse* response) {
  Learner* const learner = context_.learner;
  const absl::StatusOr<LearnerSpec> spec = OnCompute<LearnerSpec>(
      context, [learner]() -> absl::StatusOr<LearnerSpec> { return learner->Spec(); });
  if (!spec.ok()) return rpc::ToGrpc(spec.status(), context);
  response->set_rank(spec->rank);
  response->set_world_size(spec->world_size);
  response->set_version(spec->version);
  response->set_iteration(spec->iteration);
  response->set_tokenizer_hash(spec->tokenizer_sha256);
  response->set_numerics_id(context_.numerics_id);
  response->set_config_json(spec->config_json);
  response->set_beta(spec->beta);
  response->set_restored_manifest_sha256(spec->restored_manifest_sha256);
  return grpc::Status::OK;
}

grpc::Status PolicyService::Score(grpc::ServerContext* context,
                                  const v1::PolicyScoreRequest* request,
                                  v1::PolicyScoreResponse* response) {
  const absl::StatusOr<ScoredModel> model = ModelFromWire(request->model());
  if (!model.ok()) return rpc::ToGrpc(model.status(), context);
  auto sequences = std::make_shared<std::vector<ScoredSequence>>();
  for (const v1::TokenSequence& sequence : request->sequences()) {
    sequences->push_back(
        {{sequence.token_ids().begin(), sequence.token_ids().end()}, sequence.begin()});
  }
  using Scores = std::vector<std::vector<float>>;
  const absl::StatusOr<Scores> scores =
      OnCompute<Scores>(context, [learner = context_.learner, model = *model, sequences] {
        return learner->Score(model, *sequences);
      });
  if (!scores.ok()) return rpc::ToGrpc(scores.status(), context);
  for (const std::vector<float>& row : *scores) {
    response->add_scores()->mutable_logprobs()->Add(row.begin(), row.end());
  }
  return grpc::Status::OK;
}

absl::StatusOr<v1::UpdateResult> PolicyService::RunUpdate(grpc::ServerContext* context,
                                                          UpdateStream* stream) {
  TY_ASSIGN_OR_RETURN(UpdateInput read, ReadUpdate(stream));
  // The compute thread never waits for a slow reader: progress beyond the queue is not sent.
  struct Shared {
    UpdateInput input;
    BoundedQueue<MinibatchProgress> progress{256};
    std::optional<absl::StatusOr<IterationResult>> result;  // set before the queue is closed
  };
  auto shared = std::make_shared<Shared>();
  shared->input = std::move(read);
  TY_RETURN_IF_ERROR(context_.compute->Submit([shared, service = &context_] {
    shared->result = service->learner->Update(
        shared->input, [&](const MinibatchProgress& progress) {
          if (service->on_progress) service->on_progress(shared->input, progress);
          MinibatchProgress copy = progress;
          shared->progress.TryPush(std::move(copy));
        });
    shared->progress.Close();
  }));
  const absl::Time deadline = absl::Now() + TimeLeft(*context);
  while (true) {
    std::optional<MinibatchProgress> progress = shared->progress.Pop(absl::Seconds(1));
    if (progress.has_value()) {
      v1::UpdateResponse response;
      *response.mutable_progress() = ProgressToWire(*progress);
      if (!stream->Write(response)) return absl::CancelledError("the caller is gone");
    } else if (shared->progress.closed()) {
      break;
    } else if (absl::Now() > deadline || context->IsCancelled()) {
      return absl::DeadlineExceededError(absl::StrCat(
          "the update of iteration ", shared->input.iteration, " still runs; ask again"));
    }
  }
  if (!shared->result->ok()) return WithNotFiniteDetail(shared->result->status());
  return ResultToWire(**shared->result);
}

grpc::Status PolicyService::Update(grpc::ServerContext* context, UpdateStream* stream) {
  const absl::StatusOr<v1::UpdateResult> result = RunUpdate(context, stream);
  if (!result.ok()) return rpc::ToGrpc(result.status(), context);
  v1::UpdateResponse response;
  *response.mutable_result() = *result;
  stream->Write(response);
  return grpc::Status::OK;
}

grpc::Status PolicyService::Publish(grpc::ServerContext* context,
                                    const v1::PublishRequest* request,
                                    v1::WeightsManifest* response) {
  using Weights = std::shared_ptr<const PublishedWeights>;
  absl::StatusOr<Weights> weights = context_.versions->Find(request->version());
  if (!weights.ok()) {
    weights = OnCompute<Weights>(context, [learner = context_.learner,
                                           version = request->version()] {
      return learner->Publish(version);
    });
    if (!weights.ok()) return rpc::ToGrpc(weights.status(), context);
    context_.versions->Add(*weights);
  }
  *response = ManifestToWire(**weights, context_.endpoint());
  return grpc::Status::OK;
}

grpc::Status PolicyService::Release(grpc::ServerContext*, const v1::ReleaseRequest* request,
                                    v1::ReleaseResponse*) {
  context_.versions->Release(request->version());
  return grpc::Status::OK;
}

grpc::Status PolicyService::Save(grpc::ServerContext* context, const v1::SaveRequest* request,
                                 v1::SaveResponse* response) {
  const absl::StatusOr<std::string> directory =
      context_.roots->ResolveExisting(request->directory());
  if (!directory.ok()) return rpc::ToGrpc(directory.status(), context);
  const absl::StatusOr<SavedShare> saved = OnCompute<SavedShare>(
      context, [learner = context_.learner, iteration = request->iteration(), path = *directory] {
        return learner->Save(iteration, path);
      });
  if (!saved.ok()) return rpc::ToGrpc(saved.status(), context);
  FillSave(saved->files, response);
  response->set_state_json(saved->state.dump());
  return grpc::Status::OK;
}

grpc::Status PolicyService::Export(grpc::ServerContext* context, const v1::ExportRequest* request,
                                   v1::SaveResponse* response) {
  const absl::StatusOr<std::string> directory =
      context_.roots->ResolveExisting(request->directory());
  if (!directory.ok()) return rpc::ToGrpc(directory.status(), context);
  using Files = std::vector<checkpoint::FileRecord>;
  const absl::StatusOr<Files> files =
      OnCompute<Files>(context, [learner = context_.learner, path = *directory,
                                 form = request->adapter() ? PolicyForm::kAdapter
                                                           : PolicyForm::kModel] {
        return learner->Export(path, form);
      });
  if (!files.ok()) return rpc::ToGrpc(files.status(), context);
  FillSave(*files, response);
  return grpc::Status::OK;
}

}  // namespace trainyard::worker
