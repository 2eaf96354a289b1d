// Every kind of job of the line on real text, each disturbed by a kill -9 of one of its tasks: what
// it leaves must be, byte for byte, what an undisturbed run leaves. The points are a function of
// the seed, which is printed:
//
//   line_faults_test [--seed N]

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/roots.h"
#include "tests/support/cluster.h"

namespace trainyard::testing {
namespace {

constexpr absl::Duration kLong = absl::Seconds(120);

uint64_t& Seed() {
  static uint64_t seed = 0;
  return seed;
}

// Sentences of a small language, so that tokenizer and models have something to learn.
std::string Sentence(uint64_t index) {
  static constexpr const char* kWords[] = {"the",  "a",     "good", "bad",   "film", "story",
                                           "is",   "was",   "very", "plain", "and",  "long",
                                           "warm", "quick", "dull", "funny", "it",   "seems"};
  const CounterRandom random(17);
  std::string text;
  const uint64_t words = 6 + random.Below(8, index);
  for (uint64_t i = 0; i < words; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : " ",
                    kWords[random.Below(std::size(kWords), index, i + 1)]);
  }
  return text;
}

// What must not differ of a file: of weights everything but the name of the training manifest,
// which knows its attempt.
std::string Essence(const std::string& bytes, const std::string& file) {
  uint64_t header_bytes = 0;
  if (file != "model.safetensors" || bytes.size() < sizeof(header_bytes)) return bytes;
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  Json header = *ParseJson(bytes.substr(sizeof(header_bytes), header_bytes), file);
  header["__metadata__"].erase("training_manifest_sha256");
  return header.dump() + bytes.substr(sizeof(header_bytes) + header_bytes);
}

class LineFaultsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto cluster = Cluster::Start({});
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    std::string texts, rated;
    for (int i = 0; i < 2000; ++i) {
      absl::StrAppend(&texts, "{\"text\": \"", Sentence(i), "\"}\n");
      absl::StrAppend(&rated, "{\"prompt\": \"say: ", Sentence(i).substr(0, 12),
                      "\", \"response\": \" ", Sentence(i + 5000), "\", \"score\": ", i % 7,
                      ", \"group\": \"g\"}\n");
    }
    ASSERT_TRUE(WriteFileAtomically(cluster_->Dir("data") + "/texts.jsonl", texts).ok());
    ASSERT_TRUE(WriteFileAtomically(cluster_->Dir("data") + "/rated.jsonl", rated).ok());
  }

  // Runs the job to its end; the directory of its output.
  std::string Run(v1::JobSpec spec, const std::string& name, bool disturbed) {
    spec.set_name(absl::StrCat(name, disturbed ? "-disturbed" : ""));
    spec.set_seed(1);
    spec.set_max_attempts(20);
    const auto job = cluster_->Submit(spec, spec.name());
    EXPECT_TRUE(job.ok()) << job.status();
    if (!job.ok()) return "";
    if (disturbed) KillATask(job->id());
    const auto done = cluster_->WaitForState(job->id(), v1::SUCCEEDED, kLong);
    EXPECT_TRUE(done.ok()) << name << ": " << done.status() << "\n"
                           << cluster_->Get(job->id())->end().message();
    if (!done.ok() || done->outputs().empty()) return "";
    if (disturbed) {
      EXPECT_GT(done->attempt(), 1) << name << " was over before the kill: make it longer";
    }
    const Roots roots({{"runs", cluster_->runs_dir()}});
    const auto path = roots.ResolveExisting(done->outputs(0).uri());
    EXPECT_TRUE(path.ok()) << path.status();
    return path.value_or("");
  }

  // Kills one of the job's own tasks at some point of its run: its controller, where it has one.
  void KillATask(const std::string& id) {
    const auto running = cluster_->WaitFor(id, kLong, [](const v1::Job& job) {
      return job.current().state() == v1::RUNNING || IsTerminal(job.state());
    });
    ASSERT_TRUE(running.ok()) << running.status();
    const CounterRandom random(DeriveKey(Seed(), "kill", kills_++));
    WaitUntil(absl::Milliseconds(static_cast<int64_t>(100 + random.Below(500, 0))),
              [] { return false; });
    const std::vector<pid_t> pids = cluster_->TaskPids();
    ASSERT_FALSE(pids.empty());
    pid_t victim = pids[random.Below(pids.size(), 1)];
    for (const pid_t pid : pids) {
      const std::string command = ReadFile(absl::StrCat("/proc/", pid, "/cmdline")).value_or("");
      if (command.find("trainyard-eval") != std::string::npos) victim = pid;
    }
    kill(victim, SIGKILL);
  }

  // The two runs' files, byte for byte; `file` of each output.
  void ExpectSame(const v1::JobSpec& spec, const std::string& name, const std::string& file) {
    const auto undisturbed = ReadFile(Run(spec, name, false) + "/" + file);
    ASSERT_TRUE(undisturbed.ok()) << undisturbed.status();
    const auto disturbed = ReadFile(Run(spec, name, true) + "/" + file);
    ASSERT_TRUE(disturbed.ok()) << disturbed.status();
    EXPECT_TRUE(Essence(*undisturbed, file) == Essence(*disturbed, file))
        << name << ": " << file << " differs";
  }

  v1::DataSpec Data(const std::string& rows) const {
    v1::DataSpec data;
    data.add_train()->mutable_file()->set_uri("root://data/" + rows);
    data.mutable_tokenizer()->set_artifact(absl::StrCat("jobs/", tokenizer_job_, "/tokenizer"));
    data.set_end_of_text("<|end|>");
    data.set_max_length(32);
    *data.mutable_chat_template() = Template();
    return data;
  }
  static v1::ChatTemplate Template() {
    v1::ChatTemplate chat_template;
    chat_template.set_name("custom");
    chat_template.set_end_of_turn("<|end|>");
    for (const char* role : {"user", "assistant"}) {
      v1::RoleTemplate* const added = chat_template.add_roles();
      added->set_role(role);
      added->set_prefix(absl::StrCat("<|", role, "|>"));
    }
    return chat_template;
  }
  template <typename Spec>
  static void SetLoop(Spec* spec, int steps, int batch) {
    spec->mutable_optimizer()->set_lr(1e-3);
    spec->mutable_loop()->set_steps(steps);
    spec->mutable_loop()->set_global_batch(batch);
    spec->mutable_loop()->set_checkpoint_every_steps(17);
  }
  template <typename Spec>
  void SetPrompts(Spec* spec) const {
    spec->add_prompts()->mutable_file()->set_uri("root://data/rated.jsonl");
    *spec->mutable_chat_template() = Template();
    spec->mutable_sampling()->set_max_new_tokens(24);
    spec->mutable_sampling()->set_n(8);
  }
  std::string IdOf(const std::string& name) {
    const auto job = cluster_->Get(name);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.ok() ? job->id() : "";
  }

  std::unique_ptr<Cluster> cluster_;
  std::string tokenizer_job_;
  uint64_t kills_ = 0;
};

TEST_F(LineFaultsTest, EachKindOfJobLeavesWhatAnUndisturbedRunLeaves) {
  v1::JobSpec tokenizer;
  tokenizer.mutable_tokenizer()->add_train()->mutable_file()->set_uri("root://data/texts.jsonl");
  tokenizer.mutable_tokenizer()->set_vocab_size(320);
  tokenizer.mutable_tokenizer()->set_end_of_text("<|end|>");
  tokenizer.mutable_tokenizer()->set_pad("<|pad|>");
  for (const char* token : {"<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"}) {
    tokenizer.mutable_tokenizer()->add_special_tokens(token);
  }
  ASSERT_NE(Run(tokenizer, "tokenizer", false), "");
  tokenizer_job_ = IdOf("tokenizer");

  v1::JobSpec pretrain;
  v1::ModelSpec* const model = pretrain.mutable_pretrain()->mutable_model();
  model->set_family("llama");
  model->set_layers(2);
  model->set_hidden_size(64);
  model->set_heads(2);
  model->set_context(64);
  *pretrain.mutable_pretrain()->mutable_data() = Data("texts.jsonl");
  SetLoop(pretrain.mutable_pretrain(), 300, 16);
  ExpectSame(pretrain, "pretrain", "model.safetensors");

  v1::FileRef trained;
  trained.set_artifact(absl::StrCat("jobs/", IdOf("pretrain"), "/model"));
  v1::JobSpec sft;
  *sft.mutable_sft()->mutable_init_from() = trained;
  *sft.mutable_sft()->mutable_data() = Data("rated.jsonl");
  SetLoop(sft.mutable_sft(), 150, 16);
  ExpectSame(sft, "sft", "model.safetensors");

  v1::JobSpec reward;
  *reward.mutable_reward_model()->mutable_init_from() = trained;
  *reward.mutable_reward_model()->mutable_data() = Data("rated.jsonl");
  reward.mutable_reward_model()->set_group_size(4);
  reward.mutable_reward_model()->set_token_dropout(0.1);
  reward.mutable_reward_model()->mutable_normalization()->mutable_file()->set_uri(
      "root://data/rated.jsonl");
  SetLoop(reward.mutable_reward_model(), 150, 4);
  ExpectSame(reward, "reward", "model.safetensors");

  v1::JobSpec generate;
  *generate.mutable_generate()->mutable_model() = trained;
  SetPrompts(generate.mutable_generate());
  ExpectSame(generate, "generate", "answers.jsonl");

  v1::JobSpec eval;
  v1::EvalModel* const compared = eval.mutable_eval()->add_models();
  compared->set_name("pretrained");
  *compared->mutable_model() = trained;
  SetPrompts(eval.mutable_eval());
  v1::EvalMetric* const metric = eval.mutable_eval()->add_metrics();
  metric->set_name("length");
  metric->set_kind("length_ratio");
  ExpectSame(eval, "eval", "report.json");
}

}  // namespace
}  // namespace trainyard::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  trainyard::testing::Seed() = trainyard::EntropyBits() % 1'000'000;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string(argv[i]) == "--seed") {
      (void)absl::SimpleAtoi(argv[i + 1], &trainyard::testing::Seed());
    }
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(trainyard::testing::Seed()));
  return RUN_ALL_TESTS();
}
