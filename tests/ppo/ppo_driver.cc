// Computes PPO's targets and losses from a safetensors file of float64 inputs and writes what comes
// out to another, for the parity test in python: ppo_driver INPUT OUTPUT.
//
// Input: lengths [rows]; reward, ended [rows]; old, reference, value, now, entropy, value_now
// [tokens]; options [beta, gamma, lambda, clip, no_end_penalty, clip_ratio, dual_clip, value_clip,
// entropy_weight, k3_weight].

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/tensor_io.h"
#include "rl/iteration_targets.h"
#include "worker/objective_ppo.h"

namespace trainyard::worker {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

std::vector<double> Doubles(const at::Tensor& tensor) {
  const double* const values = tensor.const_data_ptr<double>();
  return {values, values + tensor.numel()};
}

std::vector<rl::Trajectory> Trajectories(const Tensors& inputs) {
  const std::vector<double> lengths = Doubles(inputs.at("lengths"));
  const std::vector<double> reward = Doubles(inputs.at("reward"));
  const std::vector<double> ended = Doubles(inputs.at("ended"));
  std::vector<rl::Trajectory> trajectories;
  for (size_t row = 0; row < lengths.size(); ++row) {
    const int64_t tokens = static_cast<int64_t>(lengths[row]);
    rl::Trajectory& trajectory = trajectories.emplace_back();
    trajectory.row = static_cast<int64_t>(row);
    trajectory.token_ids.assign(1 + tokens, 1);
    trajectory.spans = {{0, 1, rl::SpanSource::kPrompt, false, 0},
                        {1, 1 + tokens, rl::SpanSource::kModel, true, 0}};
    trajectory.log_probs.assign(tokens, 0.0f);
    trajectory.log_kept_mass.assign(tokens, 0.0f);
    trajectory.finish = ended[row] > 0 ? rl::FinishReason::kStop : rl::FinishReason::kLength;
    trajectory.reward = reward[row];
  }
  return trajectories;
}

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

at::Tensor Gradient(const at::Tensor& loss, const at::Tensor& leaf) {
  return torch::autograd::grad({loss}, {leaf}, {}, true).front().contiguous();
}

absl::Status Run(const std::string& input, const std::string& output) {
  TY_ASSIGN_OR_RETURN(const auto file, checkpoint::SafetensorsFile::Open(input));
  TY_ASSIGN_OR_RETURN(const auto read, checkpoint::ReadTensors(*file));
  Tensors inputs;
  for (const auto& [name, tensor] : read) inputs[name] = tensor;
  const std::vector<double> o = Doubles(inputs.at("options"));
  rl::TargetOptions options;
  options.beta = o[0];
  options.gae = {.gamma = o[1], .lambda = o[2]};
  options.reward = {.clip = o[3], .no_end_rule = rl::NoEndRule::kSubtract, .no_end_value = o[4]};
  TY_ASSIGN_OR_RETURN(
      const rl::IterationTargets targets,
      rl::ComputeTargets(Trajectories(inputs),
                         {Doubles(inputs.at("old")), Doubles(inputs.at("reference")),
                          Doubles(inputs.at("value"))},
                         options));
  const PpoLossOptions loss_options = {.clip_ratio = o[5],
                                       .dual_clip = o[6],
                                       .value_clip = o[7],
                                       .entropy_weight = o[8],
                                       .kl_loss = KlLoss::kK3,
                                       .kl_loss_weight = o[9]};
  const at::Tensor now = inputs.at("now").clone().requires_grad_(true);
  const at::Tensor entropy = inputs.at("entropy").clone().requires_grad_(true);
  const at::Tensor value = inputs.at("value_now").clone().requires_grad_(true);
  const PolicyLoss policy = ComputePolicyLoss(
      now, entropy, {inputs.at("old"), inputs.at("reference"), Tensor(targets.advantages)},
      loss_options);
  const ValueLoss critic =
      ComputeValueLoss(value, inputs.at("value"), Tensor(targets.returns), loss_options);
  return checkpoint::WriteTensors(
             output,
             {{"advantages", Tensor(targets.advantages)},
              {"returns", Tensor(targets.returns)},
              {"kl", Tensor({targets.kl_k1, targets.metrics.at("kl_k3")})},
              {"policy_loss", Tensor({policy.sums.loss})},
              {"value_loss", Tensor({critic.loss})},
              {"policy_gradient", Gradient(policy.loss_sum, now)},
              {"entropy_gradient", Gradient(policy.loss_sum, entropy)},
              {"value_gradient", Gradient(critic.loss_sum, value)}},
             {})
      .status();
}

}  // namespace
}  // namespace trainyard::worker

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: ppo_driver INPUT OUTPUT\n");
    return 2;
  }
  const absl::Status status = trainyard::worker::Run(argv[1], argv[2]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
