// A model to talk to, without weights: a directory that `generate --chat` reads, and a rollout task
// that says what the test wants.

#ifndef TRAINYARD_TESTS_CLI_CHAT_MODEL_H_
#define TRAINYARD_TESTS_CLI_CHAT_MODEL_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rpc/server.h"
#include "tokenizer/tokenizer.h"
#include "trainyard/v1/rollout.grpc.pb.h"

namespace trainyard::cli {

// Writes a tokenizer of bytes, the template "<|user|>...<|assistant|>...<|end|>" (a system's text
// stands before it as it is) and a context of 64 tokens into `directory`.
void WriteChatModel(const std::string& directory);

// Guarded. Serves RolloutService on a free port.
class FakeChatTask : public v1::RolloutService::Service {
 public:
  FakeChatTask();
  ~FakeChatTask() override;
  const std::string& endpoint() const { return endpoint_; }

  // The next answers; "" hangs until the call is cancelled, after saying "hm". Without one: "ok".
  void Answer(std::vector<std::string> answers) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next so many calls are UNAVAILABLE.
  void Refuse(int calls) ABSL_LOCKS_EXCLUDED(mutex_);
  // No deltas before a trajectory.
  void StopStreaming() ABSL_LOCKS_EXCLUDED(mutex_);

  // What it was asked, as text, and the last call's metadata "trainyard-job".
  std::vector<std::string> prompts() const ABSL_LOCKS_EXCLUDED(mutex_);
  v1::GenerateRequest last_request() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string last_job() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a call was ended by its client, waiting for it.
  bool WasCancelled() ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        grpc::ServerWriter<v1::GenerateResponse>* writer) override;

 private:
  const std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  mutable absl::Mutex mutex_;
  std::deque<std::string> answers_ ABSL_GUARDED_BY(mutex_);
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  bool streams_ ABSL_GUARDED_BY(mutex_) = true;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> prompts_ ABSL_GUARDED_BY(mutex_);
  v1::GenerateRequest last_request_ ABSL_GUARDED_BY(mutex_);
  std::string last_job_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<rpc::Server> server_;
  std::string endpoint_;
};

}  // namespace trainyard::cli

#endif  // TRAINYARD_TESTS_CLI_CHAT_MODEL_H_
