#include "tests/worker/learner_fixture.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/random.h"
#include "base/status.h"
#include "collective/local_group.h"
#include "model/numerics.h"
#include "model/transformer.h"
#include "model/weights.h"

namespace trainyard::worker {
namespace {

model::ModelConfig TinyConfig(model::Head head, int64_t vocabulary) {
  model::ModelConfig config;
  config.head = head;
  config.vocab_size = vocabulary;
  config.width = 32;
  config.ffn_width = 64;
  config.layers = 2;
  config.heads = 2;
  config.kv_heads = 2;
  config.head_width = 16;
  config.max_positions = 32;
  config.eos_token_id = kEndId;
  return config;
}

void SaveTiny(const std::string& directory, model::Head head, const model::ModelCard& card,
              int64_t vocabulary = kVocabulary) {
  std::filesystem::create_directories(directory);
  // Twenty times the usual width: log-probs that differ and values that vary.
  const auto model =
      model::InitModel(TinyConfig(head, vocabulary), {.seed = 7, .standard_deviation = 0.4});
  TY_CHECK(model.ok());
  TY_CHECK(model::SaveModel(*model, directory, {.card = card}).ok());
}

}  // namespace

void SaveTinyPolicy(const std::string& directory, int64_t vocabulary) {
  model::SetComputeThreads(1);
  SaveTiny(directory, model::Head::kLm, {}, vocabulary);
}

TinyModels::TinyModels(bool normalised) {
  model::SetComputeThreads(1);
  char path[] = "/tmp/trainyard-learner-XXXXXX";
  TY_CHECK(mkdtemp(path) != nullptr);
  root_ = path;
  model::ModelCard card;
  card.tokenizer_sha256 = "the tokenizer";
  SaveTiny(root_ + "/policy", model::Head::kLm, card);
  if (normalised) card.normalisation = model::ModelCard::Normalisation{0.3, 0.7, 100};
  SaveTiny(root_ + "/reward", model::Head::kScalar, card);
}

TinyModels::~TinyModels() { std::filesystem::remove_all(root_); }

LearnerOptions TinyOptions(checkpoint::DType dtype) {
  LearnerOptions options;
  options.policy = {.temperature = 0.7,
                    .forbidden_ids = {kForbiddenId},
                    .end_ids = {kEndId},
                    .min_new_tokens = 2};
  options.targets.reward.clip = 3;
  options.targets.reward.no_end_rule = rl::NoEndRule::kSubtract;
  for (LearnerOptimizer* optimizer : {&options.actor, &options.critic}) {
    optimizer->adamw.weight_decay = 0;
    optimizer->schedule = {.kind = ScheduleKind::kConstant, .peak = 1e-3, .total_steps = 100,
                           .warmup_steps = 2};
  }
  options.micro_batch_tokens = 40;
  options.dtype = dtype;
  return options;
}

std::vector<rl::Trajectory> TinyTrajectories(int64_t rows, int64_t version, uint64_t seed) {
  std::vector<rl::Trajectory> trajectories;
  for (int64_t row = 0; row < rows; ++row) {
    const CounterRandom random(DeriveKey(seed, "tiny", static_cast<uint64_t>(row)));
    const int64_t prompt = 2 + static_cast<int64_t>(random.Below(4, 0));
    const int64_t answer = 3 + static_cast<int64_t>(random.Below(8, 1));
    rl::Trajectory trajectory;
    trajectory.row = row;
    for (int64_t i = 0; i < prompt + answer; ++i) {
      trajectory.token_ids.push_back(
          static_cast<int32_t>(4 + random.Below(kVocabulary - 4, 10 + i)));
    }
    trajectory.finish = row % 5 == 4 ? rl::FinishReason::kLength : rl::FinishReason::kStop;
    if (trajectory.finish == rl::FinishReason::kStop) trajectory.token_ids.back() = kEndId;
    trajectory.spans = {{0, prompt, rl::SpanSource::kPrompt, false, 0},
                        {prompt, prompt + answer, rl::SpanSource::kModel, true, version}};
    trajectory.log_probs.assign(answer, 0.0f);
    trajectory.log_kept_mass.assign(answer, 0.0f);
    trajectory.reward = 4 * random.UniformDouble(3) - 2;
    trajectories.push_back(std::move(trajectory));
  }
  return trajectories;
}

std::shared_ptr<Learner> SoleLearner(const LearnerOptions& options, const LearnerModels& models) {
  std::shared_ptr<collective::Group> group = collective::SingleRankGroup();
  auto learner = Learner::Create(options, models, group.get());
  TY_CHECK(learner.ok());
  return {learner->release(), [group](Learner* owned) { delete owned; }};
}

UpdateInput TinyUpdate(int64_t iteration, int64_t rows, int64_t ranks) {
  UpdateInput input;
  input.iteration = iteration;
  input.base_version = iteration;
  input.beta = 0.3;
  input.trajectories = TinyTrajectories(rows, iteration, static_cast<uint64_t>(iteration) + 1);
  std::vector<rl::PlanRow> plan_rows;
  for (const rl::Trajectory& trajectory : input.trajectories) {
    plan_rows.push_back({static_cast<int64_t>(trajectory.token_ids.size()),
                         static_cast<int64_t>(rl::TrainedTokens(trajectory).size())});
  }
  input.plan = *rl::MakeIterationPlan(plan_rows, {.seed = 5, .iteration = iteration, .passes = 2,
                                                  .minibatch_rows = 6, .ranks = ranks});
  input.digest = rl::DigestUpdate(input.plan, input.trajectories);
  return input;
}

}  // namespace trainyard::worker
