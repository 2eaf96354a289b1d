#include "tests/worker/training_world.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/random.h"
#include "checkpoint/store.h"
#include "checkpoint/tensor_io.h"
#include "collective/local_group.h"
#include "model/numerics.h"
#include "model/weights.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::worker {
namespace {

constexpr const char* kWords[] = {"the",  "cat",  "sat",   "on",   "a",   "mat",  "and",  "saw",
                                  "good", "film", "great", "bad",  "was", "very", "long", "short",
                                  "it",   "is",   "not",   "best", "of",  "year"};
constexpr int kWordCount = static_cast<int>(std::size(kWords));

std::string Sentence(uint64_t seed, int words) {
  const CounterRandom random(seed);
  std::string text;
  for (int w = 0; w < words; ++w) {
    absl::StrAppend(&text, w == 0 ? "" : " ", kWords[random.Below(kWordCount, w)]);
  }
  return text;
}

std::string Texts() {
  std::string rows;
  for (int row = 0; row < 60; ++row) {
    absl::StrAppend(&rows, Json{{"text", Sentence(100 + row, 5 + row % 9)}}.dump(), "\n");
  }
  return rows;
}

std::string Chats(int first, int rows) {
  std::string text;
  for (int row = first; row < first + rows; ++row) {
    absl::StrAppend(&text,
                    Json{{"prompt", Sentence(500 + row, 3)},
                         {"response", " " + Sentence(900 + row, 2 + row % 6)},
                         {"score", (row * 7 % 11) / 2.0 - 2},
                         {"group", row % 2 == 0 ? "film" : "book"}}
                        .dump(),
                    "\n");
  }
  return text;
}

}  // namespace

bool RunEnd::finished() const {
  for (const auto& outcome : outcomes) {
    if (!outcome.ok() || *outcome != TrainOutcome::kFinished) return false;
  }
  return !weights.empty();
}

TrainingWorld::TrainingWorld() {
  MakeTokenizer();
  Write("texts.jsonl", Texts());
  Write("chats.jsonl", Chats(0, 64));
  Write("valid.jsonl", Chats(64, 16));
  start_model_ = MakeStartModel();
}

std::string TrainingWorld::Write(const std::string& name, const std::string& text) const {
  EXPECT_TRUE(WriteFileAtomically(dir_.File(name), text).ok());
  return dir_.File(name);
}

void TrainingWorld::MakeTokenizer() {
  tokenizer::BpeTrainerOptions options;
  options.vocabulary_size = 300;
  options.special_tokens = {"<pad>", "<user>", "<assistant>", "<end>"};
  auto trainer = *tokenizer::BpeTrainer::Create(options);
  for (int row = 0; row < 200; ++row) trainer->Feed(Sentence(row, 12));
  const auto trained = *tokenizer::Tokenizer::Create(*trainer->Finish());
  tokenizer::TokenizerConfig config;
  config.end_token = "<end>";
  config.pad_token = "<pad>";
  EXPECT_TRUE(MakeDirectories(dir_.File("tokenizer")).ok());
  EXPECT_TRUE(tokenizer::SaveTokenizer(*trained, config, dir_.File("tokenizer")).ok());
}

std::string TrainingWorld::MakeStartModel() {
  const TrainJob job = Job(TrainKind::kPretrain, checkpoint::DType::kF32);
  model::ModelConfig config = job.new_model->config;
  config.vocab_size = OpenTokenizer(job.tokenizer_directory)->tokenizer->vocabulary_size();
  const std::string directory = dir_.File("start");
  EXPECT_TRUE(MakeDirectories(directory).ok());
  model::InitOptions init;
  init.seed = 5;
  // A spread that makes gradients of some size in a model this small.
  init.standard_deviation = 0.2;
  EXPECT_TRUE(model::SaveModel(*model::InitModel(config, init), directory, {}).ok());
  return directory;
}

TrainJob TrainingWorld::Job(TrainKind kind, checkpoint::DType dtype) {
  TrainJob job;
  job.kind = kind;
  job.seed = 11;
  job.dtype = dtype;
  job.tokenizer_directory = dir_.File("tokenizer");
  data::SourceSpec source;
  source.name = "rows";
  source.paths = {dir_.File(kind == TrainKind::kPretrain ? "texts.jsonl" : "chats.jsonl")};
  job.train.sources = {source};
  job.train.seed = job.batch.seed = job.seed;
  job.train.max_tokens = kind == TrainKind::kPretrain ? 16 : 48;
  job.batch.packs_per_step = 6;
  job.batch.micro_batch_tokens = 64;
  job.optimizer.schedule.kind = ScheduleKind::kCosine;
  job.optimizer.schedule.peak = 1e-3;
  job.optimizer.warmup_ratio = 0.2;
  job.loop.total_steps = 12;
  job.loop.checkpoint_every_steps = 3;
  job.loop.eval_every = 4;
  if (kind == TrainKind::kPretrain) {
    NewModel model;
    model.config.layers = 2;
    model.config.width = 32;
    model.config.heads = model.config.kv_heads = 2;
    model.config.head_width = 16;
    model.config.ffn_width = 64;
    model.config.max_positions = 64;
    model.init_std = 0.2;
    job.new_model = model;
    return job;
  }
  job.init_from = start_model_;
  job.train.objective =
      kind == TrainKind::kSft ? data::Objective::kSft : data::Objective::kRewardModel;
  job.validation = job.train;
  job.validation.sources[0].paths = {dir_.File("valid.jsonl")};
  tokenizer::ChatTemplateSpec chat;
  chat.roles["user"] = {"<user>", ""};
  chat.roles["assistant"] = {"<assistant>", "<end>"};
  chat.end_of_turn = "<end>";
  job.chat_template = chat;
  job.batch.group_size = 4;
  job.batch.min_rating_gap = job.reward.min_gap = 0.5;
  job.batch.token_dropout = kind == TrainKind::kRewardModel ? 0.1 : 0;
  return job;
}

absl::StatusOr<TrainOutcome> TrainingWorld::RunRank(const TrainJob& job, const RunOptions& options,
                                                    collective::Group* group,
                                                    task::TaskSession* session,
                                                    EndReason* reason) {
  task::Assignment assignment;
  assignment.index = group->rank();
  assignment.role_count = group->world_size();
  RunPlace place;
  place.job_id = "job";
  place.uri = absl::StrCat("root://runs/", options.name);
  place.directory = RunDirectory(options.name);
  place.epoch = options.epoch;
  place.stand_alone = true;
  place.numerics_id = model::NumericsId("cpu", job.dtype);
  TrainRun run(job, {&assignment, &place, session, group});
  absl::StatusOr<TrainOutcome> outcome = run.Run();
  if (!outcome.ok()) {
    group->Abort(outcome.status().message());
    if (reason != nullptr) {
      *reason = {.end_class = EndClassOf(outcome.status()),
                 .message = std::string(outcome.status().message()),
                 .step = run.place().step,
                 .phase = run.place().phase};
    }
  }
  return outcome;
}

RunEnd TrainingWorld::Run(const TrainJob& job, const RunOptions& options) {
  auto groups = collective::LocalGroups(options.world_size, absl::Minutes(2));
  if (options.world_size == 1) groups[0] = collective::SingleRankGroup();
  RunEnd end;
  for (size_t rank = 0; rank < groups.size(); ++rank) {
    end.outcomes.emplace_back(absl::UnknownError("not run"));
  }
  end.reasons.resize(groups.size());
  std::vector<std::unique_ptr<RecordingSession>> sessions;
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < groups.size(); ++rank) {
    // The order reaches one rank; the others follow.
    const bool told = rank + 1 == groups.size();
    sessions.push_back(std::make_unique<RecordingSession>(told ? options.stop_after_step : -1));
    threads.emplace_back([&, rank, session = sessions.back().get()] {
      end.outcomes[rank] =
          RunRank(job, options, groups[rank].get(), session, &end.reasons[rank]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  end.metrics = sessions[0]->metrics();
  end.directory = absl::StrCat(RunDirectory(options.name), "/e", options.epoch, "/model");
  if (!sessions[0]->outputs().empty()) end.weights = WeightBytes(end.directory);
  return end;
}

std::map<std::string, std::vector<double>> ReadWeights(const std::string& directory) {
  const auto file = *checkpoint::SafetensorsFile::Open(directory + "/model.safetensors");
  const auto tensors = *checkpoint::ReadTensors(*file);
  std::map<std::string, std::vector<double>> weights;
  for (const checkpoint::NamedTensor& tensor : tensors) {
    const at::Tensor flat = tensor.tensor.to(at::kDouble).contiguous().flatten();
    const auto* begin = flat.const_data_ptr<double>();
    weights[tensor.name].assign(begin, begin + flat.numel());
  }
  return weights;
}

std::string WeightBytes(const std::string& directory) {
  const auto file = *checkpoint::SafetensorsFile::Open(directory + "/model.safetensors");
  std::string bytes;
  for (const checkpoint::TensorEntry& tensor : file->tensors()) {
    absl::StrAppend(&bytes, tensor.name, ":", file->Bytes(tensor));
  }
  return bytes;
}

double Distance(const RunEnd& a, const RunEnd& b) {
  const auto of_a = ReadWeights(a.directory);
  const auto of_b = ReadWeights(b.directory);
  EXPECT_EQ(of_a.size(), of_b.size());
  double largest = 0;
  for (const auto& [name, values] : of_a) {
    double difference = 0, size = 1e-30;
    for (size_t i = 0; i < values.size(); ++i) {
      difference += std::pow(values[i] - of_b.at(name)[i], 2);
      size += values[i] * values[i];
    }
    largest = std::max(largest, std::sqrt(difference / size));
  }
  return largest;
}

}  // namespace trainyard::worker
