#include "tests/eval/fake_cluster.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::eval {
namespace {

constexpr int32_t kEnd = 3;

std::shared_ptr<const tokenizer::Tokenizer> ByteTokenizer() {
  tokenizer::TokenizerParts parts;
  for (const char* special : {"<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"}) {
    parts.added.push_back({static_cast<int32_t>(parts.token_bytes.size()), special, true});
    parts.token_bytes.emplace_back();
  }
  for (const uint8_t byte : tokenizer::BytesInAlphabetOrder()) {
    parts.token_bytes.emplace_back(1, static_cast<char>(byte));
  }
  return *tokenizer::Tokenizer::Create(std::move(parts));
}

}  // namespace

FakeRollout::~FakeRollout() {
  const auto nobody_waits = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return waiting_ == 0; };
  absl::MutexLock lock(&mutex_);
  ending_ = true;
  mutex_.Await(absl::Condition(&nobody_waits));
}

grpc::Status FakeRollout::Generate(grpc::ServerContext*, const v1::GenerateRequest* request,
                                   grpc::ServerWriter<v1::GenerateResponse>* writer) {
  {
    const auto looked_at = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return looks_ >= looks_before_answers || ending_;
    };
    absl::MutexLock lock(&mutex_);
    sampling_ = request->sampling();
    ++waiting_;
    mutex_.Await(absl::Condition(&looked_at));
    --waiting_;
    if (ending_) return grpc::Status::CANCELLED;
  }
  for (const v1::GeneratePrompt& prompt : request->prompts()) {
    for (int sample = prompt.first_sample(); sample < prompt.first_sample() + prompt.n();
         ++sample) {
      if (answers_left == 0) return failure;
      if (answers_left > 0) --answers_left;
      std::string text;
      for (int64_t i = 0; i <= (prompt.row() + sample) % 3; ++i) absl::StrAppend(&text, " ", word_);
      std::vector<int32_t> ids = tokenizer_.Encode(text);
      ids.push_back(kEnd);
      v1::GenerateResponse response;
      v1::Trajectory* const trajectory = response.mutable_trajectory();
      trajectory->set_row(prompt.row());
      trajectory->set_sample(sample);
      *trajectory->mutable_token_ids() = prompt.token_ids();
      trajectory->mutable_token_ids()->Add(ids.begin(), ids.end());
      trajectory->mutable_logprobs()->Resize(static_cast<int>(ids.size()), -1.0f);
      trajectory->set_finish(v1::FINISH_END);
      ++answers_given;
      if (!writer->Write(response)) return grpc::Status::CANCELLED;
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeRollout::GetLoad(grpc::ServerContext*, const v1::GetLoadRequest*,
                                  v1::GetLoadResponse* response) {
  absl::MutexLock lock(&mutex_);
  ++looks_;
  response->set_running_sequences(looks_ <= busy_looks ? 1 : 0);
  response->set_tokens_per_second(rate_changes ? std::min(looks_, looks_with_new_rate) : 1);
  return grpc::Status::OK;
}

grpc::Status FakeRollout::Score(grpc::ServerContext*, const v1::ScoreTokensRequest* request,
                                v1::ScoreTokensResponse* response) {
  for (const v1::TokenSequence& sequence : request->sequences()) {
    response->add_scores()->mutable_logprobs()->Resize(
        sequence.token_ids_size() - sequence.begin(),
        request->forbidden_ids().empty() ? -0.25f : -0.5f);
  }
  return grpc::Status::OK;
}

grpc::Status FakeReward::Score(grpc::ServerContext*, const v1::ScoreRequest* request,
                               v1::ScoreResponse* response) {
  for (const v1::ScoreItem& item : request->items()) {
    last_reference = item.reference();
    v1::ScoreResult* const result = response->add_results();
    result->set_row(item.row());
    result->set_sample(item.sample());
    if (std::count(refused_rows.begin(), refused_rows.end(), item.row()) > 0) {
      result->set_status(v1::SCORE_VERIFIER_ERROR);
      result->set_message("refused by the test");
      continue;
    }
    result->set_status(v1::SCORE_OK);
    result->set_score(item.token_ids_size() - item.answer_begin());
  }
  return grpc::Status::OK;
}

void FakeSession::SetPeers(std::vector<task::Peer> peers) {
  absl::MutexLock lock(&mutex_);
  peers_.peers = std::move(peers);
  ++peers_.revision;
}

std::vector<task::Artifact> FakeSession::finished() const {
  absl::MutexLock lock(&mutex_);
  return finished_;
}

bool FakeSession::is_finished() const {
  absl::MutexLock lock(&mutex_);
  return is_finished_;
}

task::PeerSnapshot FakeSession::Peers() const {
  absl::MutexLock lock(&mutex_);
  return peers_;
}

absl::StatusOr<task::PeerSnapshot> FakeSession::WaitForPeers(
    const std::function<bool(const task::PeerSnapshot&)>& predicate, absl::Duration) {
  const task::PeerSnapshot peers = Peers();
  if (predicate(peers)) return peers;
  return absl::DeadlineExceededError("there are no such peers");
}

absl::StatusOr<task::CommitResult> FakeSession::CommitCheckpoint(const task::CommitRequest&,
                                                                 absl::Duration) {
  return absl::UnimplementedError("eval commits no checkpoint");
}

absl::Status FakeSession::FinishJob(const std::vector<task::Artifact>& outputs, absl::Duration) {
  absl::MutexLock lock(&mutex_);
  finished_ = outputs;
  is_finished_ = true;
  return absl::OkStatus();
}

EvalTest::EvalTest() : tokenizer_(ByteTokenizer()) {
  std::string pattern = ::testing::TempDir() + "/eval_test_XXXXXX";
  directory_ = mkdtemp(pattern.data());
  std::filesystem::create_directories(directory_ + "/model");
  std::filesystem::create_directories(directory_ + "/runs");
  tokenizer::TokenizerConfig config;
  config.end_token = "<|end|>";
  TY_CHECK(tokenizer::SaveTokenizer(*tokenizer_, config, directory_ + "/model").ok());
  Write("model/config.json", R"({"max_position_embeddings": 64})");
}

EvalTest::~EvalTest() {
  servers_.clear();
  std::filesystem::remove_all(directory_);
}

std::string EvalTest::Write(const std::string& name, const std::string& text) const {
  const std::string path = absl::StrCat(directory_, "/", name);
  TY_CHECK(WriteFileAtomically(path, text).ok());
  return path;
}

PromptJob EvalTest::Prompts(int samples) const {
  std::string rows;
  for (int i = 0; i < 10; ++i) {
    absl::StrAppend(&rows, "{\"prompt\": \"p", i,
                    "\", \"response\": \" good\", \"score\": 1, \"group\": \"g\"}\n");
  }
  PromptJob job;
  job.sources.resize(1);
  job.sources[0].name = "prompts";
  job.sources[0].paths = {Write("prompts.jsonl", rows)};
  tokenizer::ChatTemplateSpec spec;
  spec.roles["user"] = {"<|user|>", ""};
  spec.roles["assistant"] = {"<|assistant|>", "<|end|>"};
  spec.end_of_turn = "<|end|>";
  job.chat_template = spec;
  job.sampling.max_new_tokens = 32;
  job.sampling.samples = samples;
  job.sampling.forbidden_tokens = {"<|pad|>"};
  return job;
}

ModelPlace EvalTest::Model(const std::string& name, bool baseline) const {
  return {name, directory_ + "/model", "digest of " + name, baseline};
}

task::Assignment EvalTest::Assignment(uint64_t epoch) const {
  task::Assignment assignment;
  assignment.job_id = kTestFence.job_id;
  assignment.secret = kTestFence.secret;
  assignment.epoch = epoch;
  assignment.coordinator = "127.0.0.1:1";
  assignment.run_uri = "root://runs/job";
  assignment.roots = Roots({{"runs", directory_ + "/runs"}, {"data", directory_}});
  return assignment;
}

void EvalTest::Serve(const std::string& role, int index, grpc::Service* service) {
  rpc::ServerOptions options;
  options.listen = "127.0.0.1:0";
  auto server = rpc::Server::Start(options, {service});
  TY_CHECK(server.ok());
  task::Peer peer;
  peer.task_uid = 100 + peers_.size();
  peer.role = role;
  peer.index = index;
  peer.endpoint = absl::StrCat("127.0.0.1:", (*server)->port());
  peer.ready = true;
  peers_.push_back(peer);
  servers_.push_back(*std::move(server));
  session_.SetPeers(peers_);
}

}  // namespace trainyard::eval
