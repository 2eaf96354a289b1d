// RunWorker in its process, without a coordinator: every kind of job from file to artifact, killed
// at seeded points, stopped, and given what it cannot do.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/atomic_file.h"
#include "base/end_class.h"
#include "base/json.h"
#include "base/random.h"
#include "checkpoint/safetensors.h"
#include "tests/support/process.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::worker {
namespace {

using testing::Process;
using testing::ProcessEnd;

constexpr absl::Duration kPatience = absl::Minutes(3);

std::string Sentence(uint64_t seed, int words) {
  static const char* const kWords[] = {"the", "cat",  "sat",   "on",  "mat",  "saw",  "good",
                                       "bad", "film", "great", "was", "very", "long", "not"};
  const CounterRandom random(seed);
  std::string text;
  for (int w = 0; w < words; ++w) {
    absl::StrAppend(&text, w == 0 ? "" : " ", kWords[random.Below(std::size(kWords), w)]);
  }
  return text;
}

constexpr char kOptimizer[] =
    R"(optimizer { lr: 1e-3 weight_decay: 0.1 warmup_ratio: 0.1 schedule: "wsd" }
       loop { steps: 40 global_batch: 8 eval_every: 15 checkpoint_every_steps: 4 log_every: 40 }
       dtype: BFLOAT16)";
constexpr char kChatData[] =
    R"(data { tokenizer { uri: "root://runs/tokenizer/e1/tokenizer" }
              train { file { uri: "root://data/chats.jsonl" } }
              validation { file { uri: "root://data/chats.jsonl" } }
              chat_template { name: "custom" roles { role: "user" prefix: "<user>" }
                              roles { role: "assistant" prefix: "<assistant>" }
                              end_of_turn: "<end>" } })";

std::string SpecOf(const std::string& kind) {
  if (kind == "tokenizer") {
    return R"(tokenizer { train { file { uri: "root://data/texts.jsonl" } } vocab_size: 300
              special_tokens: "<pad>" special_tokens: "<user>" special_tokens: "<assistant>"
              special_tokens: "<end>" pad: "<pad>" end_of_text: "<end>" })";
  }
  if (kind == "tokenize") {
    return R"(tokenize { data { tokenizer { uri: "root://runs/tokenizer/e1/tokenizer" }
              train { file { uri: "root://data/texts.jsonl" } } } })";
  }
  if (kind == "pretrain") {
    return absl::StrCat(
        R"(pretrain { model { family: "llama" layers: 2 hidden_size: 32 heads: 2
           intermediate_size: 64 context: 64 init_std: 0.2 }
           data { tokenizer { uri: "root://runs/tokenizer/e1/tokenizer" } max_length: 16
                  train { file { uri: "root://data/texts.jsonl" } } } )",
        kOptimizer, "}");
  }
  if (kind == "sft") {
    return absl::StrCat("sft { init_from { uri: \"root://runs/pretrain/e1/model\" } ", kChatData,
                        kOptimizer, "}");
  }
  return absl::StrCat("reward_model { group_size: 4 token_dropout: 0.1 ",
                      "init_from { uri: \"root://runs/pretrain/e1/model\" } ", kChatData,
                      kOptimizer, "}");
}

// A directory with data and runs, and the jobs that are run in it.
class WorkerProcess : public ::testing::Test {
 protected:
  WorkerProcess() {
    std::filesystem::create_directories(dir_.File("data"));
    std::filesystem::create_directories(dir_.File("runs"));
    std::string texts, chats;
    for (int row = 0; row < 80; ++row) {
      absl::StrAppend(&texts, Json{{"text", Sentence(row, 6 + row % 9)}}.dump(), "\n");
      absl::StrAppend(&chats,
                      Json{{"prompt", Sentence(300 + row, 3)},
                           {"response", absl::StrCat(" ", Sentence(600 + row, 2 + row % 6))},
                           {"score", (row * 7 % 11) / 2.0},
                           {"group", "film"}}
                          .dump(),
                      "\n");
    }
    EXPECT_TRUE(WriteFileAtomically(dir_.File("data/texts.jsonl"), texts).ok());
    EXPECT_TRUE(WriteFileAtomically(dir_.File("data/chats.jsonl"), chats).ok());
  }

  // Starts the worker on a spec (text format, the job's kind alone).
  std::unique_ptr<Process> Start(const std::string& run, const std::string& spec) {
    v1::TaskAssignment assignment;
    const std::string text = absl::StrFormat(
        R"(job_id: "job-%s" job_name: "%s" epoch: 1 task_uid: 1 role: "trainer" role_count: 1
           threads: 1 attempt: 1 secret: "%s" run_uri: "root://runs/%s" advertise: "127.0.0.1"
           node: "here"
           root_paths { key: "data" value: "%s" } root_paths { key: "runs" value: "%s" }
           spec { name: "%s" seed: 3 %s })",
        run, run, std::string(64, 'a'), run, dir_.File("data"), dir_.File("runs"), run, spec);
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &assignment)) << text;
    const std::string file = dir_.File(absl::StrCat(run, ".assignment"));
    std::ofstream(file, std::ios::binary) << assignment.SerializeAsString();
    testing::ProcessOptions options;
    options.binary = "trainyard-worker";
    options.args = {"--assignment", file};
    auto process = Process::Start(options);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  // Runs to the end; the exit code's class.
  EndClass Run(const std::string& run, const std::string& spec, std::string* output = nullptr) {
    const auto process = Start(run, spec);
    const auto end = process->Wait(kPatience);
    EXPECT_TRUE(end.ok()) << end.status();
    if (output != nullptr) *output = process->Output();
    if (!end.ok() || !end->exited) return EndClass::kUnspecified;
    if (end->exit_code == 0) return EndClass::kSucceeded;
    return EndClassOfExitCode(end->exit_code);
  }

  // The weights of the run's artifact, of the last start that wrote one.
  std::string Weights(const std::string& run) {
    std::string bytes;
    for (int epoch = 0; epoch < 100; ++epoch) {
      const std::string path =
          dir_.File(absl::StrCat("runs/", run, "/e", epoch, "/model/model.safetensors"));
      if (!std::filesystem::exists(path)) continue;
      bytes.clear();  // a start that was killed right at its end has left one too
      const auto file = checkpoint::SafetensorsFile::Open(path);
      EXPECT_TRUE(file.ok()) << file.status();
      for (const auto& tensor : (*file)->tensors()) {
        absl::StrAppend(&bytes, tensor.name, ":", (*file)->Bytes(tensor));
      }
    }
    EXPECT_FALSE(bytes.empty()) << run;
    return bytes;
  }

  testing::TempDir dir_;
};

TEST_F(WorkerProcess, KilledAtAnyPointEveryKindEndsWithTheSameBits) {
  ASSERT_EQ(Run("tokenizer", SpecOf("tokenizer")), EndClass::kSucceeded);
  const uint64_t seed = EntropyBits();
  RecordProperty("seed", absl::StrCat(seed));
  const CounterRandom random(seed);
  uint64_t draws = 0;
  for (const std::string kind : {"pretrain", "sft", "reward"}) {
    ASSERT_EQ(Run(kind, SpecOf(kind)), EndClass::kSucceeded) << kind;
    const std::string run = absl::StrCat(kind, "-killed");
    for (int kill = 0; kill < 3; ++kill) {
      const auto process = Start(run, SpecOf(kind));
      const auto step = random.Below(38, ++draws);
      // An earlier start may have come further already; then this one ends or is killed later.
      const absl::Status reached =
          process->WaitForOutput(absl::StrCat("step ", step, "/40"), absl::Seconds(20));
      process->Kill();
      if (!reached.ok()) break;
    }
    ASSERT_EQ(Run(run, SpecOf(kind)), EndClass::kSucceeded) << kind << ", seed " << seed;
    EXPECT_TRUE(Weights(run) == Weights(kind)) << kind << ", seed " << seed;
  }
}

TEST_F(WorkerProcess, SigtermSavesAndExitsAndTheNextStartGoesOn) {
  ASSERT_EQ(Run("tokenizer", SpecOf("tokenizer")), EndClass::kSucceeded);
  ASSERT_EQ(Run("pretrain", SpecOf("pretrain")), EndClass::kSucceeded);
  const std::string spec = absl::StrReplaceAll(
      SpecOf("pretrain"), {{"steps: 40", "steps: 4000"}, {"checkpoint_every_steps: 4", ""}});
  const auto process = Start("stopped", spec);
  ASSERT_TRUE(process->WaitForOutput("step 7/4000", kPatience).ok());
  process->Signal(SIGTERM);
  const auto end = process->Wait(kPatience);
  ASSERT_TRUE(end.ok() && end->exited) << process->Output();
  EXPECT_EQ(EndClassOfExitCode(end->exit_code), EndClass::kDrained) << process->Output();
  const auto again = Start("stopped", spec);
  EXPECT_TRUE(again->WaitForOutput("restored step", kPatience).ok());
}

TEST_F(WorkerProcess, TokenShardsAreWrittenAndTrainedOn) {
  ASSERT_EQ(Run("tokenizer", SpecOf("tokenizer")), EndClass::kSucceeded);
  ASSERT_EQ(Run("tokenize", SpecOf("tokenize")), EndClass::kSucceeded);
  const std::string spec = absl::StrReplaceAll(
      SpecOf("pretrain"), {{"train { file { uri: \"root://data/texts.jsonl\" } }",
                            "train { file { uri: \"root://runs/tokenize/e1/tokens\" } }"}});
  EXPECT_EQ(Run("pretrain", spec), EndClass::kSucceeded);
}

TEST_F(WorkerProcess, WhatIsTheUsersErrorIsSaidAndNeverRetried) {
  ASSERT_EQ(Run("tokenizer", SpecOf("tokenizer")), EndClass::kSucceeded);
  ASSERT_EQ(Run("pretrain", SpecOf("pretrain")), EndClass::kSucceeded);
  const std::map<std::string, std::pair<std::string, std::string>> cases = {
      {"missing-file", {"data/texts.jsonl", "data/nothing.jsonl"}},
      {"outside", {"root://data/texts.jsonl", "root://data/../../etc/passwd"}},
      {"schedule", {"schedule: \"wsd\"", "schedule: \"wds\""}},
      {"dropout", {"context: 64", "context: 64 dropout: 0.1"}},
      {"long-window", {"max_length: 16", "max_length: 999"}},
      {"no-batch", {"global_batch: 8", ""}},
      {"small-vocabulary", {"context: 64", "context: 64 vocab_size: 100"}}};
  for (const auto& [name, change] : cases) {
    const std::string spec = absl::StrReplaceAll(SpecOf("pretrain"), {change});
    std::string output;
    const EndClass end = Run(name, spec, &output);
    EXPECT_EQ(end, EndClass::kUserError) << name << ": " << output;
  }
  std::string output;
  EXPECT_EQ(Run("reward-group", absl::StrReplaceAll(SpecOf("reward"),
                                                    {{"group_size: 4", "group_size: 40"}}),
                &output),
            EndClass::kUserError)
      << output;
}

TEST_F(WorkerProcess, ANumberThatIsNotFiniteEndsAsNan) {
  ASSERT_EQ(Run("tokenizer", SpecOf("tokenizer")), EndClass::kSucceeded);
  const std::string spec = absl::StrReplaceAll(SpecOf("pretrain"), {{"lr: 1e-3", "lr: 1e30"}});
  std::string output;
  EXPECT_EQ(Run("nan", spec, &output), EndClass::kNan) << output;
  EXPECT_NE(output.find("NAN at step "), std::string::npos) << output;
}

}  // namespace
}  // namespace trainyard::worker
