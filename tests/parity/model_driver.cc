// Runs a model on inputs from a safetensors file and writes what comes out to another, for the
// parity tests in python: model_driver lm|scores|ranking|resave|lora MODEL_DIR INPUT OUTPUT
// [float64|float32|...]. Prints what the model's config.json says without effect. lora: adapters as
// OUTPUT's directory has them in lora.json, with the factors of INPUT; writes them and the merged
// model beside OUTPUT, into adapter/ and merged/.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "checkpoint/tensor_io.h"
#include "model/adapter_files.h"
#include "model/adapters.h"
#include "model/catch_torch.h"
#include "model/hugging_face_names.h"
#include "model/loss.h"
#include "model/numerics.h"
#include "model/transformer.h"
#include "model/weights.h"

namespace trainyard::model {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

struct Arguments {
  std::string mode, model_directory, input, output, type;
};

absl::StatusOr<Tensors> ReadInputs(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const auto file, checkpoint::SafetensorsFile::Open(path));
  TY_ASSIGN_OR_RETURN(const auto tensors, checkpoint::ReadTensors(*file));
  Tensors inputs;
  for (const auto& [name, tensor] : tensors) inputs[name] = tensor;
  return inputs;
}

std::vector<int64_t> Longs(const at::Tensor& tensor) {
  const int64_t* values = tensor.const_data_ptr<int64_t>();
  return {values, values + tensor.numel()};
}

absl::StatusOr<PackedTokens> Pack(const ModelConfig& config, const Tensors& inputs) {
  const at::Tensor ids = inputs.at("token_ids").to(at::kInt);
  const std::vector<int64_t> offsets = Longs(inputs.at("segment_offsets"));
  TokenRows rows;
  rows.token_ids = {ids.const_data_ptr<int32_t>(), static_cast<size_t>(ids.numel())};
  rows.segment_offsets = offsets;
  return PackTokens(config, rows, at::kCPU);
}

at::Tensor PadTo(const at::Tensor& values, int64_t rows) {
  const at::Tensor padded = at::zeros({rows}, values.options());
  padded.narrow(0, 0, values.size(0)).copy_(values);
  return padded;
}

// What is differentiated, and what else is shown.
struct Outcome {
  at::Tensor objective;
  std::vector<NamedTensor> shown;
};

Outcome RunLm(const Model& model, const Tensors& inputs, const at::Tensor& hidden_ND) {
  const int64_t rows = hidden_ND.size(0);
  const at::Tensor& weight_VD = LmHeadWeight(model);
  const at::Tensor loss = LinearCrossEntropy(
      hidden_ND, weight_VD, {PadTo(inputs.at("targets"), rows), PadTo(inputs.at("weights"), rows)},
      inputs.at("z_loss").item<double>());
  const auto wide = hidden_ND.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor logits = at::mm(hidden_ND.detach().to(wide), weight_VD.detach().to(wide).t());
  return {loss, {{"loss", loss.detach()}, {"logits", logits}}};
}

Outcome RunScores(const Model& model, const Tensors& inputs, const at::Tensor& hidden_ND) {
  TokenQuery query;
  query.rows_M = inputs.at("rows");
  query.targets_M = inputs.at("row_targets");
  query.temperature = inputs.at("temperature").item<double>();
  query.mask = {Longs(inputs.at("forbidden")), Longs(inputs.at("early_forbidden")),
                inputs.at("early").to(at::kBool)};
  const TokenScores scores = ScoreTokens(hidden_ND, LmHeadWeight(model), query);
  const auto type = scores.log_prob_M.scalar_type();
  const at::Tensor objective = (scores.log_prob_M * inputs.at("log_prob_weights").to(type)).sum() +
                               (scores.entropy_M * inputs.at("entropy_weights").to(type)).sum();
  return {objective,
          {{"log_probs", scores.log_prob_M.detach()}, {"entropy", scores.entropy_M.detach()}}};
}

absl::StatusOr<Outcome> RunRanking(const Model& model, const Tensors& inputs,
                                   const at::Tensor& hidden_ND) {
  const at::Tensor scores = ScalarScores(model, hidden_ND, inputs.at("rows"));
  const std::vector<int64_t> offsets = Longs(inputs.at("group_offsets"));
  std::vector<RankedGroup> groups;
  for (size_t g = 0; g + 1 < offsets.size(); ++g) {
    RankedGroup group;
    for (int64_t i = offsets[g]; i < offsets[g + 1]; ++i) {
      group.score_rows.push_back(i);
      group.ratings.push_back(inputs.at("ratings")[i].item<double>());
    }
    groups.push_back(group);
  }
  RankingOptions options;
  options.minimum_rating_gap = inputs.at("minimum_gap").item<double>();
  TY_ASSIGN_OR_RETURN(const RankingLoss loss, PairwiseRankingLoss(scores, groups, options));
  return Outcome{loss.loss_sum, {{"loss", loss.loss_sum.detach()}, {"scores", scores.detach()}}};
}

// Gradients under Hugging Face's names: cut and transposed as the parameters are.
std::vector<NamedTensor> NamedGradients(const Model& model) {
  Model gradients = model;
  for (const ParameterSlot& slot : ParameterSlots(gradients)) {
    const at::Tensor gradient = slot.tensor->grad();
    *slot.tensor = gradient.defined() ? gradient : at::zeros_like(*slot.tensor);
  }
  std::vector<NamedTensor> named = HuggingFaceViews(gradients);
  for (NamedTensor& tensor : named) tensor.name = "grad." + tensor.name;
  return named;
}

absl::Status Resave(const Arguments& arguments, const LoadedModel& loaded) {
  SaveOptions options;
  options.card = loaded.card;
  options.max_shard_bytes = arguments.input == "sharded" ? 4096 : uint64_t{1} << 40;
  return SaveModel(loaded.model, arguments.output, options).status();
}

absl::Status AddAdaptersOf(const std::string& options_file, const Tensors& inputs, Model* model) {
  TY_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(options_file));
  AdapterOptions options;
  options.rank = json["rank"].get<int64_t>();
  options.alpha = json["alpha"].get<double>();
  options.targets = json["targets"].get<std::vector<std::string>>();
  TY_RETURN_IF_ERROR(AddAdapters(*model, options, 0));
  for (const NamedTensor& factor : PeftTensors(*model)) {
    factor.tensor.copy_(inputs.at(factor.name));
  }
  SetRequiresGrad(*model, true);
  return absl::OkStatus();
}

absl::Status RunLora(const Arguments& arguments, Model model) {
  TY_ASSIGN_OR_RETURN(const Tensors inputs, ReadInputs(arguments.input));
  const std::string directory = std::filesystem::path(arguments.output).parent_path();
  TY_RETURN_IF_ERROR(AddAdaptersOf(directory + "/lora.json", inputs, &model));
  TY_ASSIGN_OR_RETURN(const PackedTokens tokens, Pack(model.config, inputs));
  const at::Tensor hidden_ND = Forward(model, tokens);
  std::vector<NamedTensor> results;
  if (model.config.head == Head::kScalar) {
    results = {{"scores", ScalarScores(model, hidden_ND, inputs.at("rows")).detach()}};
  } else {
    const Outcome outcome = RunLm(model, inputs, hidden_ND);
    torch::autograd::backward({outcome.objective}, {});
    results = outcome.shown;
    for (const NamedTensor& factor : PeftTensors(model)) {
      results.push_back({"grad." + factor.name, factor.tensor.grad()});
    }
  }
  TY_RETURN_IF_ERROR(checkpoint::WriteTensors(arguments.output, results, {}).status());
  TY_RETURN_IF_ERROR(
      SaveAdapter(model, directory + "/adapter", {arguments.model_directory, {}}).status());
  return SaveModel(MergeAdapters(model), directory + "/merged", {}).status();
}

absl::Status Run(const Arguments& arguments) {
  LoadOptions options;
  if (!arguments.type.empty()) {
    TY_ASSIGN_OR_RETURN(const auto type, ParseComputeType(arguments.type));
    options.dtype = checkpoint::ToScalarType(type);
  }
  TY_ASSIGN_OR_RETURN(LoadedModel loaded, LoadModel(arguments.model_directory, options));
  for (const std::string& line : loaded.ignored) std::printf("ignored: %s\n", line.c_str());
  if (arguments.mode == "resave") return Resave(arguments, loaded);
  if (arguments.mode == "lora") {
    return CatchTorch("run", [&] { return RunLora(arguments, loaded.model); });
  }
  const Model& model = loaded.model;
  SetRequiresGrad(model, true);
  TY_ASSIGN_OR_RETURN(const Tensors inputs, ReadInputs(arguments.input));
  TY_ASSIGN_OR_RETURN(const PackedTokens tokens, Pack(model.config, inputs));
  return CatchTorch("run", [&]() -> absl::Status {
    const at::Tensor hidden_ND = Forward(model, tokens);
    absl::StatusOr<Outcome> outcome = arguments.mode == "lm" ? RunLm(model, inputs, hidden_ND)
                                      : arguments.mode == "scores"
                                          ? RunScores(model, inputs, hidden_ND)
                                          : RunRanking(model, inputs, hidden_ND);
    if (!outcome.ok()) return outcome.status();
    torch::autograd::backward({outcome->objective}, {});
    std::vector<NamedTensor> results = NamedGradients(model);
    results.insert(results.end(), outcome->shown.begin(), outcome->shown.end());
    return checkpoint::WriteTensors(arguments.output, results, {}).status();
  });
}

}  // namespace
}  // namespace trainyard::model

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  trainyard::model::SetComputeThreads(1);
  const absl::Status status =
      trainyard::model::Run({argv[1], argv[2], argv[3], argv[4], argc > 5 ? argv[5] : ""});
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
