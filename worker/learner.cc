#include "worker/learner.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "checkpoint/tensor_io.h"
#include "collective/group.h"
#include "model/adapter_files.h"
#include "model/adapters.h"
#include "model/catch_torch.h"
#include "model/loss.h"
#include "model/numerics.h"
#include "model/weights.h"
#include "worker/ppo_rows.h"
#include "worker/ppo_update.h"
#include "worker/weights_snapshot.h"

namespace trainyard::worker {
namespace {

constexpr char kStateSection[] = "learner";

ParameterSetOptions SetOptions(const std::string& name, const LearnerOptimizer& optimizer) {
  ParameterSetOptions options;
  options.name = name;
  options.clip_norm = optimizer.clip_norm;
  options.adamw = optimizer.adamw;
  return options;
}

absl::Status OutOfLimits(const char* field, double value, const char* limits) {
  return absl::InvalidArgumentError(absl::StrCat("ppo.", field, " is ", value, ", must be ",
                                                 limits));
}

absl::Status ValidateOptions(const LearnerOptions& options) {
  const PpoLossOptions& loss = options.loss;
  if (!(options.policy.temperature > 0)) {
    return OutOfLimits("sampling.temperature", options.policy.temperature, "> 0");
  }
  if (!(loss.clip_ratio > 0 && loss.clip_ratio < 1)) {
    return OutOfLimits("clip_ratio", loss.clip_ratio, "in (0, 1)");
  }
  if (loss.dual_clip != 0 && !(loss.dual_clip > 1)) {
    return OutOfLimits("dual_clip", loss.dual_clip, "> 1, or 0 for off");
  }
  if (loss.value_clip < 0) return OutOfLimits("value_clip", loss.value_clip, ">= 0");
  if (loss.kl_loss_weight < 0) return OutOfLimits("kl_loss_weight", loss.kl_loss_weight, ">= 0");
  if (!(options.targets.reward.clip > 0)) {
    return OutOfLimits("reward_clip", options.targets.reward.clip, "> 0");
  }
  for (const double share : {options.targets.gae.gamma, options.targets.gae.lambda}) {
    if (!(share >= 0 && share <= 1)) return OutOfLimits("gamma or lambda", share, "in [0, 1]");
  }
  if (options.micro_batch_tokens < 1) {
    return OutOfLimits("micro_batch_tokens", static_cast<double>(options.micro_batch_tokens),
                       ">= 1");
  }
  TY_RETURN_IF_ERROR(Annotate(options.actor.schedule.Validate(), "ppo.actor"));
  return Annotate(options.critic.schedule.Validate(), "ppo.critic_optimizer");
}

absl::Status CheckTokenizer(const std::string& directory, const std::string& found,
                            const std::string& wanted) {
  if (found.empty() || wanted.empty() || found == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(directory, ": trained with tokenizer ", found, ", the run uses ", wanted));
}

}  // namespace

struct Learner::State {
  LearnerOptions options;
  collective::Group* group = nullptr;
  model::Model policy;
  model::Model reference;
  model::Model critic;
  model::ModelCard card;       // of the policy
  std::string policy_directory;
  std::string base_digest;     // with adapters: of what they leave as it is, in policy and critic
  std::unique_ptr<ParameterSet> policy_set;
  std::unique_ptr<ParameterSet> critic_set;
  int64_t iteration = 0;
  int64_t version = 0;
  double beta = 0;
  std::string restored_manifest_sha256;
  std::string last_digest;
  std::optional<IterationResult> last_result;
  absl::Status broken;  // why nothing goes any more
  SnapshotMemory snapshot_memory;

  absl::Status Load(const LearnerModels& models);
  absl::Status LoadCritic(const std::string& directory, at::ScalarType dtype);
  absl::Status AddAdapters();
  absl::Status MakeSets();
  std::vector<checkpoint::NamedTensor> Tensors() const;
  std::string PolicyDigest() const;
  Json ToJson() const;
  Json AdapterJson() const { return model::AdapterRecord(options.lora, base_digest); }
  absl::Status FromJson(const Json& json);
};

absl::Status Learner::State::Load(const LearnerModels& models) {
  const at::ScalarType dtype = checkpoint::ToScalarType(options.dtype);
  TY_ASSIGN_OR_RETURN(model::LoadedModel loaded,
                      model::LoadModel(models.policy, {.dtype = dtype,
                                                       .device = at::Device(options.device),
                                                       .head = model::Head::kLm}));
  for (const std::string& ignored : loaded.ignored) Log().info("{}: {}", models.policy, ignored);
  policy = std::move(loaded.model);
  policy_directory = models.policy;
  card = std::move(loaded.card);
  TY_RETURN_IF_ERROR(CheckTokenizer(models.policy, card.tokenizer_sha256, models.tokenizer_sha256));
  if (card.tokenizer_sha256.empty()) card.tokenizer_sha256 = models.tokenizer_sha256;
  const bool adapted = options.lora.has_value();
  reference = adapted ? policy
                      : model::CloneModel(policy, dtype, policy.token_embedding_VD.device());
  TY_RETURN_IF_ERROR(LoadCritic(models.critic, dtype));
  if (adapted) TY_RETURN_IF_ERROR(AddAdapters());
  model::SetRequiresGrad(policy, true);
  model::SetRequiresGrad(reference, false);
  model::SetRequiresGrad(critic, true);
  return MakeSets();
}

absl::Status Learner::State::LoadCritic(const std::string& directory, at::ScalarType dtype) {
  if (directory.empty()) {
    const model::Model trunk =
        options.lora.has_value()
            ? policy
            : model::CloneModel(policy, dtype, policy.token_embedding_VD.device());
    TY_ASSIGN_OR_RETURN(critic,
                        model::WithScalarHead(trunk, {.seed = options.seed,
                                                      .dtype = dtype,
                                                      .device = at::Device(options.device)}));
    return absl::OkStatus();
  }
  TY_ASSIGN_OR_RETURN(model::LoadedModel loaded,
                      model::LoadModel(directory, {.dtype = dtype,
                                                   .device = at::Device(options.device),
                                                   .head = model::Head::kScalar}));
  TY_RETURN_IF_ERROR(
      CheckTokenizer(directory, loaded.card.tokenizer_sha256, card.tokenizer_sha256));
  critic = std::move(loaded.model);
  if (critic.config.vocab_size != policy.config.vocab_size) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, ": ", critic.config.vocab_size, " token ids, the policy has ",
                     policy.config.vocab_size));
  }
  if (!loaded.card.normalisation.has_value()) return absl::OkStatus();
  return model::FoldNormalisation(critic, loaded.card.normalisation->mean,
                                  loaded.card.normalisation->deviation);
}

// After policy, reference and critic are there: the reference goes on without.
absl::Status Learner::State::AddAdapters() {
  base_digest = Xxh3Hex(model::FrozenDigest(policy) + model::FrozenDigest(critic));
  TY_RETURN_IF_ERROR(model::AddAdapters(policy, *options.lora, DeriveKey(options.seed, "policy")));
  TY_RETURN_IF_ERROR(model::AddAdapters(critic, *options.lora, DeriveKey(options.seed, "critic")));
  // Rollout gets merged weights, rounded: training with others would leave the two further apart
  // than the gate allows (docs/jobs.md).
  if (options.dtype == checkpoint::DType::kBF16) model::HoldMerged(policy, reference);
  int64_t trained = 0, shared_bytes = 0;
  for (const model::Model* adapted : {&policy, &critic}) {
    for (const auto& factor : model::TrainedParameters(*adapted)) trained += factor.tensor.numel();
  }
  const auto own = model::Parameters(policy), frozen = model::Parameters(reference);
  for (size_t i = 0; i < own.size(); ++i) {
    if (!own[i].tensor.is_same(frozen[i].tensor)) continue;
    shared_bytes += static_cast<int64_t>(frozen[i].tensor.nbytes());
  }
  Log().info(
      "adapters of rank {}: {} numbers of policy and critic are trained; policy and reference "
      "share {} MiB",
      options.lora->rank, trained, shared_bytes >> 20);
  return absl::OkStatus();
}

absl::Status Learner::State::MakeSets() {
  TY_ASSIGN_OR_RETURN(policy_set, ParameterSet::Create(model::TrainedParameters(policy), group,
                                                       SetOptions("policy", options.actor)));
  TY_ASSIGN_OR_RETURN(critic_set, ParameterSet::Create(model::TrainedParameters(critic), group,
                                                       SetOptions("critic", options.critic)));
  return absl::OkStatus();
}

// Everything that training changes, in a fixed order. The reference is the starting artifact.
std::vector<checkpoint::NamedTensor> Learner::State::Tensors() const {
  std::vector<checkpoint::NamedTensor> tensors;
  for (ParameterSet* set : {policy_set.get(), critic_set.get()}) {
    const std::string prefix = set == policy_set.get() ? "policy." : "critic.";
    for (const NamedTensor& parameter : set->parameters()) {
      tensors.push_back({prefix + parameter.name, parameter.tensor});
    }
    for (const NamedTensor& moment : set->optimizer().State()) {
      tensors.push_back({prefix + "optimizer." + moment.name, moment.tensor});
    }
  }
  return tensors;
}

std::string Learner::State::PolicyDigest() const {
  std::string digests = base_digest;
  for (const model::NamedTensor& parameter : model::TrainedParameters(policy)) {
    const at::Tensor host = parameter.tensor.detach().to(at::kCPU).contiguous();
    absl::StrAppend(&digests, Xxh3Hex(host.const_data_ptr(), host.nbytes()));
  }
  return Xxh3Hex(digests);
}

Json Learner::State::ToJson() const {
  Json json = {{"iteration", iteration},
               {"version", version},
               {"beta", beta},
               {"policy_steps", policy_set->optimizer().step_count()},
               {"critic_steps", critic_set->optimizer().step_count()},
               {"policy_digest", PolicyDigest()},
               {"tokenizer_sha256", card.tokenizer_sha256},
               {"dtype", model::ComputeTypeName(options.dtype)}};
  if (options.lora.has_value()) json[model::kAdapterRecord] = AdapterJson();
  return json;
}

absl::Status Learner::State::FromJson(const Json& json) {
  const JsonReader reader(json, "manifest section \"learner\"");
  TY_ASSIGN_OR_RETURN(iteration, reader.Int("iteration"));
  TY_ASSIGN_OR_RETURN(version, reader.Int("version"));
  TY_ASSIGN_OR_RETURN(beta, reader.Double("beta"));
  TY_ASSIGN_OR_RETURN(const int64_t policy_steps, reader.Int("policy_steps"));
  TY_ASSIGN_OR_RETURN(const int64_t critic_steps, reader.Int("critic_steps"));
  TY_ASSIGN_OR_RETURN(const std::string digest, reader.String("policy_digest"));
  policy_set->optimizer().set_step_count(policy_steps);
  critic_set->optimizer().set_step_count(critic_steps);
  policy_set->optimizer().MastersChanged();
  critic_set->optimizer().MastersChanged();
  model::RefreshMerged(policy, reference);
  if (PolicyDigest() == digest) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the restored policy's digest is ", PolicyDigest(),
                                          ", the manifest says ", digest));
}

Learner::Learner(std::unique_ptr<State> state) : state_(std::move(state)) {}
Learner::~Learner() = default;

absl::StatusOr<std::unique_ptr<Learner>> Learner::Create(const LearnerOptions& options,
                                                         const LearnerModels& models,
                                                         collective::Group* group) {
  TY_RETURN_IF_ERROR(ValidateOptions(options));
  auto state = std::make_unique<State>();
  state->options = options;
  state->group = group;
  TY_RETURN_IF_ERROR(model::CatchTorch("loading the learner's models",
                                       [&]() -> absl::Status { return state->Load(models); }));
  return std::unique_ptr<Learner>(new Learner(std::move(state)));
}

absl::Status Learner::health() const { return state_->broken; }

int64_t Learner::iteration() const { return state_->iteration; }

LearnerSpec Learner::Spec() const {
  return {.rank = state_->group->rank(),
          .world_size = state_->group->world_size(),
          .version = state_->version,
          .iteration = state_->iteration,
          .tokenizer_sha256 = state_->card.tokenizer_sha256,
          .config_json = model::ConfigJson(state_->policy.config,
                                           model::ComputeTypeName(state_->options.dtype)).dump(),
          .beta = state_->beta,
          .restored_manifest_sha256 = state_->restored_manifest_sha256};
}

absl::StatusOr<std::vector<std::vector<float>>> Learner::Score(
    ScoredModel which, absl::Span<const ScoredSequence> sequences) {
  TY_RETURN_IF_ERROR(state_->broken);
  const model::Model& model = which == ScoredModel::kPolicy      ? state_->policy
                              : which == ScoredModel::kReference ? state_->reference
                                                                 : state_->critic;
  return model::CatchTorch(
      "scoring", [&]() -> absl::StatusOr<std::vector<std::vector<float>>> {
        c10::NoGradGuard no_grad;
        std::vector<std::vector<float>> scores;
        for (const ScoredSequence& sequence : sequences) {
          const int64_t length = static_cast<int64_t>(sequence.token_ids.size());
          if (sequence.begin < 1 || sequence.begin >= length) {
            return absl::InvalidArgumentError(absl::StrCat(
                "sequence ", scores.size(), ": begin is ", sequence.begin, ", must be in 1..",
                length - 1));
          }
          TY_ASSIGN_OR_RETURN(const PpoRows rows, PackSequences({&sequence, 1}, model,
                                                                state_->options.policy));
          const at::Tensor hidden_ND = model::Forward(model, rows.tokens);
          const at::Tensor scores_M =
              which == ScoredModel::kCritic
                  ? model::ScalarScores(model, hidden_ND, rows.query.rows_M)
                  : model::ScoreTokens(hidden_ND, model::LmHeadWeight(model), rows.query)
                        .log_prob_M;
          const at::Tensor host_M = scores_M.to(at::kCPU, at::kFloat).contiguous();
          const float* const begin = host_M.const_data_ptr<float>();
          scores.emplace_back(begin, begin + host_M.numel());
        }
        return scores;
      });
}

absl::StatusOr<IterationResult> Learner::Update(
    const UpdateInput& input, const std::function<void(const MinibatchProgress&)>& progress) {
  State& state = *state_;
  TY_RETURN_IF_ERROR(state.broken);
  if (state.last_result.has_value() && input.iteration == state.last_result->iteration &&
      input.digest == state.last_digest) {
    return *state.last_result;
  }
  if (input.iteration != state.iteration || input.base_version != state.version) {
    return absl::FailedPreconditionError(absl::StrCat(
        "update of iteration ", input.iteration, " on version ", input.base_version, " (digest ",
        input.digest, "): this learner expects iteration ", state.iteration, " on version ",
        state.version));
  }
  const PpoModels models = {.policy = &state.policy,
                            .reference = &state.reference,
                            .critic = &state.critic,
                            .policy_set = state.policy_set.get(),
                            .critic_set = state.critic_set.get(),
                            .group = state.group};
  PpoUpdateOutcome outcome = RunPpoUpdate(input, state.options, models, progress);
  if (!outcome.status.ok()) {
    if (outcome.stepped || absl::IsUnavailable(outcome.status) ||
        absl::IsDeadlineExceeded(outcome.status) || absl::IsCancelled(outcome.status)) {
      state.broken = Annotate(outcome.status, absl::StrCat("the learner stopped in iteration ",
                                                           input.iteration));
    }
    return outcome.status;
  }
  ++state.iteration;
  ++state.version;
  state.beta = input.beta;
  state.last_digest = input.digest;
  state.last_result = IterationResult{.iteration = input.iteration,
                                      .version = state.version,
                                      .metrics = std::move(outcome.metrics),
                                      .weights_digest = state.PolicyDigest()};
  return *state.last_result;
}

absl::StatusOr<std::shared_ptr<const PublishedWeights>> Learner::Publish(int64_t version) {
  State& state = *state_;
  TY_RETURN_IF_ERROR(state.broken);
  if (version != state.version) {
    return absl::FailedPreconditionError(absl::StrCat("version ", version,
                                                      " was asked, the policy is at version ",
                                                      state.version));
  }
  return model::CatchTorch(
      "publishing the policy", [&]() -> absl::StatusOr<std::shared_ptr<const PublishedWeights>> {
        TY_ASSIGN_OR_RETURN(
            const auto weights,
            SnapshotWeights(model::HuggingFaceTensors(model::MergeAdapters(state.policy)),
                            state.snapshot_memory));
        weights->version = version;
        weights->config_json = Spec().config_json;
        weights->tokenizer_sha256 = state.card.tokenizer_sha256;
        return weights;
      });
}

absl::StatusOr<SavedShare> Learner::Save(int64_t iteration, const std::string& directory) {
  State& state = *state_;
  TY_RETURN_IF_ERROR(state.broken);
  if (iteration != state.iteration) {
    return absl::FailedPreconditionError(absl::StrCat("a checkpoint of ", iteration,
                                                      " iterations was asked, consumed are ",
                                                      state.iteration));
  }
  const int rank = state.group->rank();
  const int world_size = state.group->world_size();
  std::vector<checkpoint::NamedTensor> share;
  const auto tensors = state.Tensors();
  for (size_t i = rank; i < tensors.size(); i += world_size) share.push_back(tensors[i]);
  const std::string file =
      absl::StrCat(directory, "/learner-", rank, "-of-", world_size, ".safetensors");
  return model::CatchTorch("saving the learner", [&]() -> absl::StatusOr<SavedShare> {
    SavedShare saved;
    TY_ASSIGN_OR_RETURN(checkpoint::FileRecord record, checkpoint::WriteTensors(file, share, {}));
    saved.files.push_back(std::move(record));
    saved.state = state.ToJson();
    return saved;
  });
}

absl::Status Learner::Restore(const std::string& directory, const checkpoint::Manifest& manifest,
                              const std::string& manifest_sha256) {
  State& state = *state_;
  TY_ASSIGN_OR_RETURN(const Json* section, checkpoint::FindSection(manifest, kStateSection));
  TY_RETURN_IF_ERROR(model::CheckAdapterRecord(*section, state.AdapterJson(),
                                               "the weights of policy and critic"));
  return model::CatchTorch("restoring the learner", [&]() -> absl::Status {
    c10::NoGradGuard no_grad;
    std::map<std::string, at::Tensor> missing;
    for (const auto& [name, tensor] : state.Tensors()) missing[name] = tensor;
    for (const checkpoint::FileRecord& record : manifest.files) {
      if (!absl::StartsWith(record.path, "learner-")) continue;
      TY_ASSIGN_OR_RETURN(const auto file, checkpoint::SafetensorsFile::Open(
                                               absl::StrCat(directory, "/", record.path)));
      std::vector<checkpoint::NamedTensor> targets;
      for (const checkpoint::TensorEntry& entry : file->tensors()) {
        const auto found = missing.find(entry.name);
        if (found == missing.end()) {
          return absl::InvalidArgumentError(absl::StrCat(
              record.path, ": tensor ", entry.name, " is not one of this learner's"));
        }
        targets.push_back({found->first, found->second});
        missing.erase(found);
      }
      TY_RETURN_IF_ERROR(checkpoint::ReadTensorsInto(*file, targets));
    }
    if (!missing.empty()) {
      return absl::DataLossError(absl::StrCat(directory, ": tensor ", missing.begin()->first,
                                              " and ", missing.size() - 1,
                                              " others are in no file"));
    }
    TY_RETURN_IF_ERROR(state.FromJson(*section));
    state.restored_manifest_sha256 = manifest_sha256;
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<checkpoint::FileRecord>> Learner::Export(const std::string& directory,
                                                                    PolicyForm form) {
  TY_RETURN_IF_ERROR(state_->broken);
  return model::CatchTorch(
      "exporting the policy", [&]() -> absl::StatusOr<std::vector<checkpoint::FileRecord>> {
        c10::NoGradGuard no_grad;
        model::ModelCard card = state_->card;
        card.training_manifest_sha256.clear();
        if (form == PolicyForm::kModel) {
          return model::SaveModel(model::MergeAdapters(state_->policy), directory, {.card = card});
        }
        return model::SaveAdapter(state_->policy, directory,
                                  {.base_model = state_->policy_directory, .card = card});
      });
}

}  // namespace trainyard::worker
