#include "ppo/learners.h"

#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/log.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"
#include "wire/trajectory.h"

namespace trainyard::ppo {
namespace {

constexpr size_t kChunkBytes = 1 << 20;
constexpr int kUpdateTries = 4;
constexpr char kNotFiniteReason[] = "NOT_FINITE";  // as the learner's PolicyService says

std::vector<v1::UpdateRequest> UpdateRequests(const Update& update) {
  std::vector<v1::UpdateRequest> requests;
  v1::UpdateBegin* const begin = requests.emplace_back().mutable_begin();
  begin->set_iteration(update.iteration);
  begin->set_base_version(update.base_version);
  *begin->mutable_plan() = wire::PlanToWire(update.plan);
  begin->set_digest(rl::DigestUpdate(update.plan, update.trajectories));
  begin->set_sample_count(static_cast<int32_t>(update.trajectories.size()));
  begin->set_beta(update.beta);
  begin->set_critic_only(update.critic_only);
  size_t chunk_bytes = kChunkBytes;  // the first trajectory opens a chunk
  for (const rl::Trajectory& trajectory : update.trajectories) {
    v1::Trajectory message = wire::TrajectoryToWire(trajectory);
    const size_t size_bytes = message.ByteSizeLong();
    if (chunk_bytes + size_bytes > kChunkBytes) {
      requests.emplace_back().mutable_trajectories();
      chunk_bytes = 0;
    }
    *requests.back().mutable_trajectories()->add_trajectories() = std::move(message);
    chunk_bytes += size_bytes;
  }
  requests.emplace_back().mutable_end();
  return requests;
}

std::vector<checkpoint::FileRecord> FilesOf(const v1::SaveResponse& response) {
  std::vector<checkpoint::FileRecord> files;
  for (const v1::SavedFile& file : response.files()) {
    files.push_back({file.name(), static_cast<uint64_t>(file.size_bytes()), file.xxh3()});
  }
  return files;
}

// The learner's number that is not finite ends this task as it ends the learner.
absl::Status WithLearnersCause(const absl::Status& status) {
  const std::optional<rpc::ErrorDetail> detail = rpc::DetailOf(status);
  const bool not_finite = detail.has_value() && detail->reason == kNotFiniteReason;
  return not_finite ? WithCause(status, EndClass::kNan) : status;
}

absl::Status Disagree(absl::string_view what, absl::string_view first, absl::string_view other) {
  return absl::InternalError(
      absl::StrCat("learner ranks disagree about ", what, ": ", first, " and ", other));
}

}  // namespace

Learners::Learners(const std::vector<task::Peer>& peers, const ControllerOptions& options)
    : options_(options) {
  for (const task::Peer& peer : peers) {
    stubs_.push_back(v1::PolicyService::NewStub(rpc::OpenChannel(peer.endpoint)));
  }
}

template <typename T>
absl::StatusOr<std::vector<T>> Learners::OnAll(
    const std::function<absl::StatusOr<T>(Stub&, int rank)>& call) {
  std::vector<std::optional<absl::StatusOr<T>>> answers(stubs_.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < stubs_.size(); ++rank) {
    threads.emplace_back(
        [&, rank] { answers[rank] = call(*stubs_[rank], static_cast<int>(rank)); });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<T> values;
  for (size_t rank = 0; rank < answers.size(); ++rank) {
    if (!answers[rank]->ok()) {
      return Annotate(WithLearnersCause(answers[rank]->status()), absl::StrCat("learner/", rank));
    }
    values.push_back(**std::move(answers[rank]));
  }
  return values;
}

absl::StatusOr<LearnerSpec> Learners::GetSpec() {
  const rpc::CallOptions call = {.timeout = options_.timeouts.call,
                                 .retries = 3,
                                 .fence = options_.fence,
                                 .wait_for_ready = true};
  using Spec = v1::GetPolicySpecResponse;
  TY_ASSIGN_OR_RETURN(const std::vector<Spec> specs,
                      OnAll<Spec>([&](Stub& stub, int) {
                        return rpc::Call(stub, &Stub::GetSpec, v1::GetPolicySpecRequest(), call);
                      }));
  const Spec& first = specs.front();
  for (size_t rank = 0; rank < specs.size(); ++rank) {
    const Spec& spec = specs[rank];
    if (spec.rank() != static_cast<int>(rank) ||
        spec.world_size() != static_cast<int>(specs.size())) {
      return absl::InternalError(absl::StrCat("learner/", rank, " says it is rank ", spec.rank(),
                                              " of ", spec.world_size()));
    }
    if (spec.restored_manifest_sha256() != first.restored_manifest_sha256()) {
      return Disagree("the restored checkpoint", first.restored_manifest_sha256(),
                      spec.restored_manifest_sha256());
    }
    if (spec.numerics_id() != first.numerics_id()) {
      return Disagree("numerics", first.numerics_id(), spec.numerics_id());
    }
  }
  return LearnerSpec{first.version(), first.iteration(), first.tokenizer_hash(),
                     first.numerics_id(), first.restored_manifest_sha256()};
}

absl::StatusOr<v1::UpdateResult> Learners::UpdateOne(
    Stub& stub, const std::vector<v1::UpdateRequest>& requests,
    const std::function<void(int, int)>& on_progress) {
  absl::Status failed;
  for (int attempt = 0; attempt < kUpdateTries; ++attempt) {
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = options_.timeouts.update,
                         .fence = options_.fence,
                         .wait_for_ready = attempt == 0},
                        &context);
    const auto stream = stub.Update(&context);
    bool sent = true;
    for (size_t i = 0; i < requests.size() && sent; ++i) sent = stream->Write(requests[i]);
    stream->WritesDone();
    std::optional<v1::UpdateResult> result;
    v1::UpdateResponse response;
    while (stream->Read(&response)) {
      if (response.has_result()) {
        result = response.result();
      } else if (on_progress != nullptr) {
        on_progress(response.progress().pass(), response.progress().minibatch());
      }
    }
    failed = rpc::FromGrpc(stream->Finish(), context);
    if (failed.ok() && result.has_value()) return *std::move(result);
    if (failed.ok()) return absl::InternalError("the update ended without a result");
    if (!absl::IsUnavailable(failed)) return failed;
  }
  return failed;
}

absl::StatusOr<UpdateResult> Learners::Run(const Update& update,
                                           const std::function<void(int, int)>& on_progress) {
  const std::vector<v1::UpdateRequest> requests = UpdateRequests(update);
  TY_ASSIGN_OR_RETURN(const std::vector<v1::UpdateResult> results,
                      OnAll<v1::UpdateResult>([&](Stub& stub, int rank) {
                        return UpdateOne(stub, requests, rank == 0 ? on_progress : nullptr);
                      }));
  const v1::UpdateResult& first = results.front();
  for (const v1::UpdateResult& result : results) {
    if (result.weights_digest() != first.weights_digest()) {
      return Disagree("the policy's weights", first.weights_digest(), result.weights_digest());
    }
  }
  if (first.version() != update.base_version + 1) {
    return absl::InternalError(absl::StrCat("the update of version ", update.base_version,
                                            " gave version ", first.version()));
  }
  return UpdateResult{first.version(), {first.metrics().begin(), first.metrics().end()},
                      first.weights_digest()};
}

absl::StatusOr<v1::WeightsManifest> Learners::Publish(int64_t version) {
  v1::PublishRequest request;
  request.set_version(version);
  return rpc::Call(*stubs_.front(), &Stub::Publish, request,
                   {.timeout = options_.timeouts.load_weights, .retries = 3,
                    .fence = options_.fence});
}

void Learners::Release(int64_t version) {
  v1::ReleaseRequest request;
  request.set_version(version);
  const auto released = rpc::Call(*stubs_.front(), &Stub::Release, request,
                                  {.timeout = options_.timeouts.call, .retries = 1,
                                   .fence = options_.fence});
  if (!released.ok()) Log().warn("releasing {}: {}", version, released.status().ToString());
}

absl::StatusOr<SavedState> Learners::Save(int64_t iteration, const std::string& directory_uri) {
  v1::SaveRequest request;
  request.set_iteration(iteration);
  request.set_directory(directory_uri);
  const rpc::CallOptions call = {.timeout = options_.timeouts.save, .fence = options_.fence};
  TY_ASSIGN_OR_RETURN(const std::vector<v1::SaveResponse> responses,
                      OnAll<v1::SaveResponse>([&](Stub& stub, int) {
                        return rpc::Call(stub, &Stub::Save, request, call);
                      }));
  SavedState saved;
  for (const v1::SaveResponse& response : responses) {
    if (response.state_json() != responses.front().state_json()) {
      return Disagree("the learner's state", responses.front().state_json(),
                      response.state_json());
    }
    for (checkpoint::FileRecord& file : FilesOf(response)) saved.files.push_back(std::move(file));
  }
  TY_ASSIGN_OR_RETURN(saved.state, ParseJson(responses.front().state_json(), "learner state"));
  return saved;
}

absl::StatusOr<std::vector<checkpoint::FileRecord>> Learners::Export(
    const std::string& directory_uri, PolicyForm form) {
  v1::ExportRequest request;
  request.set_adapter(form == PolicyForm::kAdapter);
  request.set_directory(directory_uri);
  TY_ASSIGN_OR_RETURN(const v1::SaveResponse response,
                      rpc::Call(*stubs_.front(), &Stub::Export, request,
                                {.timeout = options_.timeouts.save, .fence = options_.fence}));
  return FilesOf(response);
}

absl::StatusOr<std::vector<std::vector<float>>> Learners::Score(
    v1::PolicyModel model, const std::vector<rl::Trajectory>& trajectories) {
  v1::PolicyScoreRequest request;
  request.set_model(model);
  for (const rl::Trajectory& trajectory : trajectories) {
    v1::TokenSequence* const sequence = request.add_sequences();
    sequence->mutable_token_ids()->Add(trajectory.token_ids.begin(), trajectory.token_ids.end());
    sequence->set_begin(static_cast<int32_t>(rl::TrainedTokens(trajectory).front()));
  }
  TY_ASSIGN_OR_RETURN(const v1::PolicyScoreResponse response,
                      rpc::Call(*stubs_.front(), &Stub::Score, request,
                                {.timeout = options_.timeouts.update, .retries = 1,
                                 .fence = options_.fence}));
  std::vector<std::vector<float>> scores;
  for (const v1::TokenScores& row : response.scores()) {
    scores.emplace_back(row.logprobs().begin(), row.logprobs().end());
  }
  if (scores.size() == trajectories.size()) return scores;
  return absl::InternalError(absl::StrCat("learner/0 gave ", scores.size(), " scores for ",
                                          trajectories.size(), " sequences"));
}

}  // namespace trainyard::ppo
