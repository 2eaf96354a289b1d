#include "worker/run_learner.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/atomic_file.h"
#include "base/cause.h"
#include "base/json.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/process.h"
#include "tests/worker/learner_fixture.h"
#include "tests/worker/recording_session.h"
#include "tests/worker/served_learner.h"
#include "tokenizer/tokenizer_file.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::worker {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

using Stub = v1::PolicyService::Stub;

// A learner rank that runs on a thread, as main would run it.
class Running {
 public:
  Running(const task::Assignment& assignment, RecordingSession* session)
      : fence_(assignment.Fence()), session_(session), thread_([this, assignment] {
          status_ = RunLearner(assignment, session_, place_);
          ended_.Notify();
        }) {}
  ~Running() {
    session_->RequestStop({.reason = "the test is over"});
    thread_.join();
  }
  // Its service, once it serves.
  std::unique_ptr<Stub> Serve() {
    const std::string endpoint = session_->WaitForEndpoint(kPatience);
    EXPECT_FALSE(endpoint.empty());
    return v1::PolicyService::NewStub(rpc::OpenChannel(endpoint));
  }
  absl::Status End() {
    EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(kPatience));
    return status_;
  }
  // After End.
  const Place& place() const { return place_; }
  rpc::CallOptions Options() const { return {.timeout = kPatience, .fence = fence_}; }

 private:
  const rpc::JobFence fence_;
  RecordingSession* const session_;
  absl::Status status_;
  Place place_;
  absl::Notification ended_;
  std::thread thread_;
};

class RunLearnerTest : public ::testing::Test {
 protected:
  RunLearnerTest() {
    const auto tokenizer = trainyard::testing::ByteTokenizer({"<|im_start|>", "<|im_end|>"});
    TY_CHECK(tokenizer::SaveTokenizer(*tokenizer, {}, dir_.path()).ok());
    SaveTinyPolicy(dir_.File("policy"), 272);
    TY_CHECK(MakeDirectories(dir_.File("run")).ok());
    assignment_.job_id = "job";
    assignment_.epoch = 2;
    assignment_.secret = std::string(64, 'a');
    assignment_.role = "learner";
    assignment_.roots = Roots({{"data", dir_.path()}});
    assignment_.run_uri = "root://data/run";
    assignment_.coordinator = "nowhere:1";  // the session's, not the learner's
    v1::PpoSpec* const ppo = spec_.mutable_ppo();
    ppo->mutable_policy()->set_uri("root://data/policy");
    ppo->set_iterations(10);
    ppo->set_prompts_per_iteration(6);
    ppo->mutable_data()->mutable_tokenizer()->set_uri("root://data/tokenizer.json");
    ppo->mutable_data()->mutable_chat_template()->set_name("chatml");
  }
  const task::Assignment& Assignment() {
    assignment_.job_spec = spec_.SerializeAsString();
    return assignment_;
  }
  // A checkpoint of what serves as `step`, committed.
  void Commit(const Running& run, Stub& stub, int64_t step) {
    const std::string path = absl::StrCat("run/e2/step-", step);
    TY_CHECK(MakeDirectories(dir_.File(path)).ok());
    v1::SaveRequest request;
    request.set_directory("root://data/" + path);
    const auto saved = rpc::Call(stub, &Stub::Save, request, run.Options());
    ASSERT_TRUE(saved.ok()) << saved.status();
    checkpoint::Manifest manifest{.kind = "ppo"};
    for (const v1::SavedFile& file : saved->files()) {
      manifest.files.push_back(
          {file.name(), static_cast<uint64_t>(file.size_bytes()), file.xxh3()});
    }
    manifest.sections["learner"] = *ParseJson(saved->state_json(), "state");
    const auto digest = checkpoint::CommitManifest(dir_.File(path), manifest);
    ASSERT_TRUE(digest.ok()) << digest.status();
    assignment_.restore.insert(assignment_.restore.begin(),
                               {.uri = "root://data/" + path, .manifest_sha256 = *digest});
  }
  void Damage(int64_t step) {
    for (const auto& entry : std::filesystem::directory_iterator(
             dir_.File(absl::StrCat("run/e2/step-", step)))) {
      if (entry.path().extension() != ".safetensors") continue;
      std::string bytes = *ReadFile(entry.path());
      bytes.back() ^= 1;
      ASSERT_TRUE(WriteFileAtomically(entry.path(), bytes).ok());
    }
  }
  static absl::StatusOr<v1::GetPolicySpecResponse> GetSpec(const Running& run, Stub& stub) {
    return rpc::Call(stub, &Stub::GetSpec, v1::GetPolicySpecRequest(), run.Options());
  }
  // The iteration, as a rollout with the learner's own weights would have drawn it.
  static UpdateInput Drawn(const Running& run, Stub& stub) {
    UpdateInput input = TinyUpdate(0, 9, 1);
    v1::PolicyScoreRequest request;
    request.set_model(v1::POLICY);
    for (const rl::Trajectory& trajectory : input.trajectories) {
      v1::TokenSequence* const sequence = request.add_sequences();
      sequence->mutable_token_ids()->Add(trajectory.token_ids.begin(),
                                         trajectory.token_ids.end());
      sequence->set_begin(static_cast<int32_t>(rl::TrainedTokens(trajectory).front()));
    }
    const auto scores = rpc::Call(stub, &Stub::Score, request, run.Options());
    EXPECT_TRUE(scores.ok()) << scores.status();
    for (size_t row = 0; row < input.trajectories.size(); ++row) {
      const auto& log_probs = scores->scores(static_cast<int>(row)).logprobs();
      input.trajectories[row].log_probs.assign(log_probs.begin(), log_probs.end());
    }
    input.digest = rl::DigestUpdate(input.plan, input.trajectories);
    return input;
  }
  static absl::Status Update(const Running& run, Stub& stub, const UpdateInput& input) {
    grpc::ClientContext context;
    rpc::PrepareContext(run.Options(), &context);
    const auto stream = stub.Update(&context);
    for (const auto& request : ServedLearner::Requests(input)) stream->Write(request);
    stream->WritesDone();
    v1::UpdateResponse response;
    while (stream->Read(&response)) {
    }
    return rpc::FromGrpc(stream->Finish(), context);
  }

  const trainyard::testing::TempDir dir_;
  task::Assignment assignment_;
  v1::JobSpec spec_;
  RecordingSession session_;
};

TEST_F(RunLearnerTest, ServesUntilAStopIsOrdered) {
  Running run(Assignment(), &session_);
  const auto stub = run.Serve();
  const auto spec = GetSpec(run, *stub);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->world_size(), 1);
  EXPECT_EQ(spec->version(), 0);
  EXPECT_EQ(spec->restored_manifest_sha256(), "");
  EXPECT_FALSE(spec->numerics_id().empty());
  session_.RequestStop({.reason = "enough"});
  const absl::Status status = run.End();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(session_.phases(), (std::vector<std::string>{"load", "waiting_rollout"}));
  EXPECT_TRUE(absl::IsUnavailable(GetSpec(run, *stub).status()));
}

TEST_F(RunLearnerTest, SaysWhenItTrainsAndWhenItWaits) {
  Running run(Assignment(), &session_);
  const auto stub = run.Serve();
  const absl::Status updated = Update(run, *stub, Drawn(run, *stub));
  ASSERT_TRUE(updated.ok()) << updated;
  EXPECT_TRUE(trainyard::testing::WaitUntil(kPatience, [&] {
    return session_.phases() ==
           std::vector<std::string>{"load", "waiting_rollout", "update", "waiting_rollout"};
  }));
  session_.RequestStop({.reason = "enough"});
  EXPECT_TRUE(run.End().ok());
  EXPECT_EQ(run.place().step, 1);
}

TEST_F(RunLearnerTest, GoesOnFromTheNewestGoodCheckpoint) {
  {
    Running run(Assignment(), &session_);
    const auto stub = run.Serve();
    Commit(run, *stub, 1);
    Commit(run, *stub, 2);
  }
  ASSERT_EQ(assignment_.restore.size(), 2);
  for (const int64_t newest : {2, 1}) {
    RecordingSession session;
    Running run(Assignment(), &session);
    const auto spec = GetSpec(run, *run.Serve());
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->restored_manifest_sha256(),
              assignment_.restore[newest == 2 ? 0 : 1].manifest_sha256);
    Damage(newest);
  }
  RecordingSession session;
  Running run(Assignment(), &session);  // none is good any more
  const absl::Status status = run.End();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_EQ(run.place().phase, "load");
  EXPECT_EQ(session.WaitForEndpoint(absl::ZeroDuration()), "") << "it never served";
}

TEST_F(RunLearnerTest, ASpecThatMakesNoSenseIsItsErrorWhileItLoads) {
  spec_.mutable_ppo()->set_kl_loss("k1");
  Running run(Assignment(), &session_);
  const absl::Status status = run.End();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(run.place().phase, "load");
}

TEST_F(RunLearnerTest, ALearnerThatIsOfNoFurtherUseEndsWithItsError) {
  spec_.mutable_ppo()->mutable_actor()->set_lr(1e30);
  spec_.mutable_ppo()->mutable_actor()->set_warmup_steps(1);
  Running run(Assignment(), &session_);
  const auto stub = run.Serve();
  const UpdateInput input = Drawn(run, *stub);
  EXPECT_FALSE(Update(run, *stub, input).ok());
  const absl::Status status = run.End();  // nobody ordered it
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(CauseOf(status), EndClass::kNan);
  EXPECT_EQ(run.place().phase, "update");
}

}  // namespace
}  // namespace trainyard::worker
