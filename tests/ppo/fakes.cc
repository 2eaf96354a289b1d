#include "tests/ppo/fakes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::ppo {
namespace {

constexpr char kRoot[] = "root://runs/";

uint64_t NextTaskUid() {
  static std::atomic<uint64_t> next{1};
  return next++;
}

v1::Trajectory AnswerOf(const v1::GenerateRequest& request, const v1::GeneratePrompt& prompt,
                        int sample) {
  const uint64_t key = DeriveKey(DeriveKey(request.seed(), "row", prompt.row()), "sample", sample);
  const CounterRandom random(DeriveKey(key, "version", request.policy_version()));
  v1::Trajectory answer;
  answer.set_row(prompt.row());
  answer.set_sample(sample);
  *answer.mutable_token_ids() = prompt.token_ids();
  const int tokens = 2 + static_cast<int>(random.Below(5, 0));
  // A policy may well answer with half a character.
  answer.add_token_ids(0xC8);
  answer.add_logprobs(-1);
  answer.add_log_kept_mass(0);
  for (int i = 0; i < tokens; ++i) {
    answer.add_token_ids(static_cast<int32_t>(97 + random.Below(26, 1 + i)));
    answer.add_logprobs(-1);
    answer.add_log_kept_mass(0);
  }
  v1::Span* const before = answer.add_spans();
  before->set_end(prompt.token_ids_size());
  before->set_source(v1::Span::PROMPT);
  v1::Span* const after = answer.add_spans();
  after->set_begin(prompt.token_ids_size());
  after->set_end(answer.token_ids_size());
  after->set_source(v1::Span::MODEL);
  after->set_train(true);
  after->set_policy_version(request.policy_version());
  answer.set_finish(v1::FINISH_END);
  return answer;
}

}  // namespace

rpc::JobFence TestFence() { return {"job", 3, std::string(64, 'a')}; }

void FakeSession::SetPeers(std::vector<task::Peer> peers) {
  absl::MutexLock lock(&mutex_);
  peers_.peers = std::move(peers);
  ++peers_.revision;
}

void FakeSession::OnMetrics(std::function<void(int64_t)> callback) {
  absl::MutexLock lock(&mutex_);
  on_metrics_ = std::move(callback);
}

std::vector<task::CommitRequest> FakeSession::commits() const {
  absl::MutexLock lock(&mutex_);
  return commits_;
}

std::vector<task::Artifact> FakeSession::outputs() const {
  absl::MutexLock lock(&mutex_);
  return outputs_;
}

std::map<int64_t, std::map<std::string, double>> FakeSession::metrics() const {
  absl::MutexLock lock(&mutex_);
  return metrics_;
}

bool FakeSession::WaitForPhase(const std::string& phase, absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto seen = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return std::any_of(progress_.begin(), progress_.end(),
                       [&](const task::Progress& report) { return report.phase == phase; });
  };
  return mutex_.AwaitWithTimeout(absl::Condition(&seen), timeout);
}

void FakeSession::Report(const task::Progress& progress) {
  absl::MutexLock lock(&mutex_);
  progress_.push_back(progress);
}

std::vector<task::Progress> FakeSession::progress() const {
  absl::MutexLock lock(&mutex_);
  return progress_;
}

void FakeSession::ReportMetrics(int64_t step, const std::map<std::string, double>& values) {
  std::function<void(int64_t)> callback;
  {
    absl::MutexLock lock(&mutex_);
    metrics_[step] = values;
    callback = on_metrics_;
  }
  if (callback) callback(step);
}

task::PeerSnapshot FakeSession::Peers() const {
  absl::MutexLock lock(&mutex_);
  return peers_;
}

absl::StatusOr<task::PeerSnapshot> FakeSession::WaitForPeers(
    const std::function<bool(const task::PeerSnapshot&)>& predicate, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto there = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return predicate(peers_); };
  if (mutex_.AwaitWithTimeout(absl::Condition(&there), timeout)) return peers_;
  return absl::DeadlineExceededError("the peers did not come");
}

std::optional<task::StopOrder> FakeSession::StopRequested() const {
  absl::MutexLock lock(&mutex_);
  return stop_;
}

void FakeSession::RequestStop(const task::StopOrder& order) {
  absl::MutexLock lock(&mutex_);
  stop_ = order;
}

void FakeSession::OnCommit(CommitAnswer answer) {
  absl::MutexLock lock(&mutex_);
  on_commit_ = std::move(answer);
}

absl::StatusOr<task::CommitResult> FakeSession::CommitCheckpoint(
    const task::CommitRequest& request, absl::Duration) {
  CommitAnswer answer;
  {
    absl::MutexLock lock(&mutex_);
    commits_.push_back(request);
    answer = on_commit_;
  }
  if (answer == nullptr) return task::CommitResult{};
  return answer(request);
}

absl::Status FakeSession::FinishJob(const std::vector<task::Artifact>& outputs, absl::Duration) {
  absl::MutexLock lock(&mutex_);
  outputs_ = outputs;
  return absl::OkStatus();
}

FakeTask::FakeTask(const std::string& role, int index, std::vector<grpc::Service*> services) {
  auto server = rpc::Server::Start({.fence = TestFence()}, services);
  TY_CHECK(server.ok());
  server_ = *std::move(server);
  peer_ = {.task_uid = NextTaskUid(),
           .role = role,
           .index = index,
           .endpoint = server_->endpoint(),
           .ready = true,
           .node = "here",
           .numerics_id = "cpu"};
}

std::set<std::pair<int64_t, int64_t>> FakeRollout::answered() const {
  absl::MutexLock lock(&mutex_);
  return answered_;
}

std::vector<int64_t> FakeRollout::loads() const {
  absl::MutexLock lock(&mutex_);
  return loads_;
}

grpc::Status FakeRollout::Generate(grpc::ServerContext*, const v1::GenerateRequest* request,
                                   grpc::ServerWriter<v1::GenerateResponse>* writer) {
  if (request->policy_version() != version_) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "another version serves"};
  }
  for (const v1::GeneratePrompt& prompt : request->prompts()) {
    for (int i = 0; i < prompt.n(); ++i) {
      if (breaks && answers_until_failure-- <= 0) {
        if (on_break) on_break();
        return {grpc::StatusCode::UNAVAILABLE, "this task breaks"};
      }
      v1::GenerateResponse response;
      *response.mutable_trajectory() = AnswerOf(*request, prompt, prompt.first_sample() + i);
      {
        absl::MutexLock lock(&mutex_);
        answered_.insert({prompt.row(), prompt.first_sample() + i});
      }
      writer->Write(response);
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeRollout::LoadWeights(grpc::ServerContext*, const v1::LoadWeightsRequest* request,
                                      v1::LoadWeightsResponse* response) {
  {
    absl::MutexLock lock(&mutex_);
    loads_.push_back(request->manifest().version());
  }
  if (refuse_weights) return {grpc::StatusCode::DATA_LOSS, "a checksum differs"};
  version_ = request->manifest().version();
  response->set_version(version_);
  return grpc::Status::OK;
}

grpc::Status FakeReward::Score(grpc::ServerContext*, const v1::ScoreRequest* request,
                               v1::ScoreResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const v1::ScoreItem& item : request->items()) {
    answers_.push_back(item.answer());
    v1::ScoreResult* const result = response->add_results();
    result->set_row(item.row());
    result->set_sample(item.sample());
    result->set_status(fail ? fail(item.row(), attempts_[item.row()]++) : v1::SCORE_OK);
    if (result->status() != v1::SCORE_OK) continue;
    double sum = 0;
    for (int32_t id : item.token_ids()) sum += id;
    result->set_score(sum / 100);
    v1::ComponentScore* const component = result->add_components();
    component->set_component("sum");
    component->set_raw(sum);
    component->set_status(v1::SCORE_OK);
  }
  return grpc::Status::OK;
}

std::vector<std::string> FakeReward::answers() const {
  absl::MutexLock lock(&mutex_);
  return answers_;
}

grpc::Status FakeReward::GetSpec(grpc::ServerContext*, const v1::GetRewardSpecRequest*,
                                 v1::GetRewardSpecResponse* response) {
  response->set_tokenizer_hash("tokenizer");
  response->set_spec_hash("reward");
  return grpc::Status::OK;
}

std::string FakeLearner::weights() const {
  absl::MutexLock lock(&mutex_);
  return weights_;
}

void FakeLearner::SetWeights(const std::string& weights) {
  absl::MutexLock lock(&mutex_);
  weights_ = weights;
}

grpc::Status FakeLearner::Enter(const char* method, grpc::ServerContext* context) const {
  return before == nullptr ? grpc::Status::OK : before(method, context);
}

void FakeLearner::Restore(const std::string& directory, const std::string& manifest_sha256) {
  const auto text = ReadFile(directory + "/learner-0-of-1.safetensors");
  TY_CHECK(text.ok());
  const auto json = ParseJson(*text, "fake");
  absl::MutexLock lock(&mutex_);
  weights_ = (*json)["weights"].get<std::string>();
  iteration_ = (*json)["iteration"].get<int64_t>();
  restored_ = manifest_sha256;
}

grpc::Status FakeLearner::GetSpec(grpc::ServerContext* context, const v1::GetPolicySpecRequest*,
                                  v1::GetPolicySpecResponse* response) {
  if (const grpc::Status entered = Enter("GetSpec", context); !entered.ok()) return entered;
  absl::MutexLock lock(&mutex_);
  response->set_rank(rank_);
  response->set_world_size(world_size_);
  response->set_version(iteration_);
  response->set_iteration(iteration_);
  response->set_tokenizer_hash("tokenizer");
  response->set_numerics_id(numerics_id);
  response->set_restored_manifest_sha256(restored_);
  return grpc::Status::OK;
}

grpc::Status FakeLearner::Update(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::UpdateResponse, v1::UpdateRequest>* stream) {
  if (const grpc::Status entered = Enter("Update", context); !entered.ok()) return entered;
  v1::UpdateRequest request;
  stream->Read(&request);
  const v1::UpdateBegin begin = request.begin();
  int samples = 0;
  int64_t tokens = 0;
  while (stream->Read(&request) && !request.has_end()) {
    samples += request.trajectories().trajectories_size();
    largest_request_bytes_ = std::max<size_t>(largest_request_bytes_, request.ByteSizeLong());
    for (const auto& trajectory : request.trajectories().trajectories()) {
      tokens += trajectory.logprobs_size();
    }
  }
  TY_CHECK(samples == begin.sample_count());
  absl::MutexLock lock(&mutex_);
  if (begin.digest() != last_digest_) {
    if (begin.iteration() != iteration_) {
      return {grpc::StatusCode::FAILED_PRECONDITION, "another iteration is expected"};
    }
    weights_ = Sha256Hex(absl::StrCat(weights_, begin.digest(), begin.beta()));
    last_digest_ = begin.digest();
    ++iteration_;
  }
  if (break_updates > 0) {
    --break_updates;
    return {grpc::StatusCode::UNAVAILABLE, "the connection broke"};
  }
  v1::UpdateResponse progress;
  progress.mutable_progress()->set_minibatch(rank_);
  stream->Write(progress);
  v1::UpdateResponse response;
  v1::UpdateResult* const result = response.mutable_result();
  result->set_iteration(begin.iteration());
  result->set_version(iteration_);
  result->set_weights_digest(weights_);
  (*result->mutable_metrics())["reward"] = 0.5 + static_cast<double>(begin.iteration());
  (*result->mutable_metrics())["kl"] = 8;
  (*result->mutable_metrics())["trained_samples"] = samples;
  (*result->mutable_metrics())["answer_tokens"] = static_cast<double>(tokens) / samples;
  stream->Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeLearner::Score(grpc::ServerContext*, const v1::PolicyScoreRequest* request,
                                v1::PolicyScoreResponse* response) {
  for (const v1::TokenSequence& sequence : request->sequences()) {
    v1::TokenScores* const scores = response->add_scores();
    for (int i = sequence.begin(); i < sequence.token_ids_size(); ++i) {
      scores->add_logprobs(request->model() == v1::POLICY ? -1.0F : -1.5F);
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeLearner::Publish(grpc::ServerContext*, const v1::PublishRequest* request,
                                  v1::WeightsManifest* response) {
  response->set_version(request->version());
  return grpc::Status::OK;
}

void FakeLearner::Write(const std::string& uri, const std::string& name,
                        v1::SaveResponse* response) {
  const std::string directory =
      absl::StrCat(root_, "/", absl::StripPrefix(uri, kRoot));
  const std::string bytes = Json({{"weights", weights_}, {"iteration", iteration_}}).dump();
  TY_CHECK(WriteFileAtomically(absl::StrCat(directory, "/", name), bytes).ok());
  v1::SavedFile* const file = response->add_files();
  file->set_name(name);
  file->set_size_bytes(static_cast<int64_t>(bytes.size()));
  file->set_xxh3(Xxh3Hex(bytes));
}

grpc::Status FakeLearner::Save(grpc::ServerContext* context, const v1::SaveRequest* request,
                               v1::SaveResponse* response) {
  if (const grpc::Status entered = Enter("Save", context); !entered.ok()) return entered;
  absl::MutexLock lock(&mutex_);
  TY_CHECK(request->iteration() == iteration_);
  Write(request->directory(),
        absl::StrCat("learner-", rank_, "-of-", world_size_, ".safetensors"), response);
  response->set_state_json(Json({{"iteration", iteration_}}).dump());
  return grpc::Status::OK;
}

grpc::Status FakeLearner::Export(grpc::ServerContext*, const v1::ExportRequest* request,
                                 v1::SaveResponse* response) {
  absl::MutexLock lock(&mutex_);
  Write(request->directory(),
        request->adapter() ? "adapter_model.safetensors" : "model.safetensors", response);
  return grpc::Status::OK;
}

}  // namespace trainyard::ppo
