#include "tests/cli/chat_model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "checkpoint/manifest.h"
#include "rpc/fence.h"
#include "tests/support/byte_tokenizer.h"
#include "tokenizer/chat_spec.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::cli {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(20);

std::shared_ptr<const tokenizer::Tokenizer> ChatTokenizer() {
  return testing::ByteTokenizer({"<|user|>", "<|assistant|>", "<|end|>"});
}

}  // namespace

void WriteChatModel(const std::string& directory) {
  TY_CHECK(MakeDirectories(directory).ok());
  tokenizer::TokenizerConfig config;
  config.end_token = "<|end|>";
  TY_CHECK(tokenizer::SaveTokenizer(*ChatTokenizer(), config, directory).ok());
  tokenizer::ChatTemplateSpec spec;
  spec.end_of_turn = "<|end|>";
  spec.roles["system"] = {"", "\n"};
  spec.roles["user"] = {"<|user|>", ""};
  spec.roles["assistant"] = {"<|assistant|>", "<|end|>"};
  checkpoint::Manifest manifest;
  manifest.kind = "model";
  manifest.sections = {{"chat_template", tokenizer::ChatTemplateJson(spec)}};
  TY_CHECK(
      WriteFileAtomically(directory + "/manifest.json", checkpoint::SerializeManifest(manifest))
          .ok());
  TY_CHECK(
      WriteFileAtomically(directory + "/config.json", "{\"max_position_embeddings\": 64}").ok());
}

FakeChatTask::FakeChatTask() : tokenizer_(ChatTokenizer()) {
  rpc::ServerOptions options;
  options.listen = "127.0.0.1:0";
  auto server = rpc::Server::Start(options, {this});
  TY_CHECK(server.ok());
  server_ = *std::move(server);
  endpoint_ = absl::StrCat("127.0.0.1:", server_->port());
}

FakeChatTask::~FakeChatTask() { server_.reset(); }

void FakeChatTask::Answer(std::vector<std::string> answers) {
  absl::MutexLock lock(&mutex_);
  answers_.insert(answers_.end(), answers.begin(), answers.end());
}

void FakeChatTask::Refuse(int calls) {
  absl::MutexLock lock(&mutex_);
  refusals_ = calls;
}

void FakeChatTask::StopStreaming() {
  absl::MutexLock lock(&mutex_);
  streams_ = false;
}

std::vector<std::string> FakeChatTask::prompts() const {
  absl::MutexLock lock(&mutex_);
  return prompts_;
}

v1::GenerateRequest FakeChatTask::last_request() const {
  absl::MutexLock lock(&mutex_);
  return last_request_;
}

std::string FakeChatTask::last_job() const {
  absl::MutexLock lock(&mutex_);
  return last_job_;
}

bool FakeChatTask::WasCancelled() {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&cancelled_), kLimit);
}

grpc::Status FakeChatTask::Generate(grpc::ServerContext* context,
                                    const v1::GenerateRequest* request,
                                    grpc::ServerWriter<v1::GenerateResponse>* writer) {
  const std::vector<int32_t> prompt(request->prompts(0).token_ids().begin(),
                                    request->prompts(0).token_ids().end());
  std::string answer = "ok";
  bool streams = false;
  {
    absl::MutexLock lock(&mutex_);
    prompts_.push_back(tokenizer_->Decode(prompt, tokenizer::SpecialTokens::kKeep));
    last_request_ = *request;
    const auto job = context->client_metadata().find(rpc::kJobKey);
    if (job != context->client_metadata().end()) {
      last_job_.assign(job->second.data(), job->second.size());
    }
    if (refusals_ > 0) {
      --refusals_;
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "drained");
    }
    if (!answers_.empty()) {
      answer = answers_.front();
      answers_.pop_front();
    }
    streams = streams_;
  }
  const bool hangs = answer.empty();
  if (hangs) answer = "hm";
  v1::GenerateResponse response;
  for (size_t i = 0; streams && i < answer.size(); ++i) {
    response.mutable_delta()->set_text(answer.substr(i, 1));
    writer->Write(response);
  }
  if (hangs) {
    // The poll ends with the call: the test's client has a deadline.
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    return grpc::Status::CANCELLED;
  }
  v1::Trajectory* const trajectory = response.mutable_trajectory();
  *trajectory->mutable_token_ids() = request->prompts(0).token_ids();
  for (const int32_t id : tokenizer_->Encode(answer)) trajectory->add_token_ids(id);
  trajectory->add_token_ids(*tokenizer_->AddedId("<|end|>"));
  trajectory->set_finish(v1::FINISH_END);
  writer->Write(response);
  return grpc::Status::OK;
}

}  // namespace trainyard::cli
