#include "worker/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <regex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::worker {
namespace {

bool OwnMaster(const at::Tensor& parameter) {
  return parameter.scalar_type() == at::kFloat || parameter.scalar_type() == at::kDouble;
}

absl::Status CheckLimits(const AdamWOptions& options) {
  const auto inside = [](absl::string_view field, double value, double low, double high) {
    if (value >= low && value < high) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("optimizer.", field, " is ", value,
                                                   ", must be in [", low, ", ", high, ")"));
  };
  TY_RETURN_IF_ERROR(inside("beta1", options.beta1, 0, 1));
  TY_RETURN_IF_ERROR(inside("beta2", options.beta2, 0, 1));
  TY_RETURN_IF_ERROR(inside("eps", options.eps, 0, 1));
  return inside("weight_decay", options.weight_decay, 0, INFINITY);
}

}  // namespace

AdamW::AdamW(const NamedTensors& parameters, const AdamWOptions& options)
    : parameters_(parameters), options_(options) {
  for (const NamedTensor& parameter : parameters_) {
    const at::Tensor value = parameter.tensor.detach();
    masters_.push_back(OwnMaster(value) ? value : value.to(at::kFloat));
    exp_avgs_.push_back(at::zeros_like(masters_.back()));
    exp_avg_sqs_.push_back(at::zeros_like(masters_.back()));
  }
}

absl::StatusOr<std::unique_ptr<AdamW>> AdamW::Create(const NamedTensors& parameters,
                                                     const AdamWOptions& options) {
  TY_RETURN_IF_ERROR(CheckLimits(options));
  std::unique_ptr<AdamW> optimizer(new AdamW(parameters, options));
  TY_RETURN_IF_ERROR(optimizer->Divide());
  return optimizer;
}

absl::Status AdamW::Divide() {
  std::vector<std::regex> patterns;
  for (const ParameterGroup& group : options_.groups) {
    try {
      patterns.emplace_back(group.pattern);
    } catch (const std::regex_error& e) {
      return absl::InvalidArgumentError(absl::StrCat("optimizer.groups: pattern \"", group.pattern,
                                                     "\" does not parse: ", e.what()));
    }
  }
  std::vector<int64_t> matches(patterns.size(), 0);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    double lr_scale = 1;
    double weight_decay = parameters_[i].tensor.dim() >= 2 ? options_.weight_decay : 0;
    for (size_t g = 0; g < patterns.size(); ++g) {
      if (!std::regex_match(parameters_[i].name, patterns[g])) continue;
      ++matches[g];
      lr_scale = options_.groups[g].lr_scale.value_or(lr_scale);
      weight_decay = options_.groups[g].weight_decay.value_or(weight_decay);
      break;
    }
    Partition* partition = nullptr;
    for (Partition& known : partitions_) {
      const bool same_type = known.masters[0].scalar_type() == masters_[i].scalar_type();
      if (known.lr_scale == lr_scale && known.weight_decay == weight_decay && same_type) {
        partition = &known;
      }
    }
    if (partition == nullptr) {
      partition = &partitions_.emplace_back();
      partition->lr_scale = lr_scale;
      partition->weight_decay = weight_decay;
    }
    partition->parameters.push_back(i);
    partition->masters.push_back(masters_[i]);
    partition->exp_avgs.push_back(exp_avgs_[i]);
    partition->exp_avg_sqs.push_back(exp_avg_sqs_[i]);
    partition->steps.push_back(at::zeros({}, masters_[i].options().dtype(at::kFloat)));
  }
  for (size_t g = 0; g < matches.size(); ++g) {
    if (matches[g] > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("optimizer.groups: pattern \"", options_.groups[g].pattern,
                     "\" is the first match of no parameter; names look like \"",
                     parameters_.empty() ? "" : parameters_.back().name, "\""));
  }
  return absl::OkStatus();
}

void AdamW::Step(const std::vector<at::Tensor>& gradients, double learning_rate) {
  c10::NoGradGuard no_grad;
  ++step_count_;
  for (Partition& partition : partitions_) {
    std::vector<at::Tensor> partition_gradients;
    for (size_t i : partition.parameters) partition_gradients.push_back(gradients[i]);
    for (const at::Tensor& step : partition.steps) step.fill_(static_cast<double>(step_count_));
    at::_fused_adamw_(partition.masters, partition_gradients, partition.exp_avgs,
                      partition.exp_avg_sqs, /*max_exp_avg_sqs=*/{}, partition.steps,
                      learning_rate * partition.lr_scale, options_.beta1, options_.beta2,
                      partition.weight_decay, options_.eps, /*amsgrad=*/false,
                      /*maximize=*/false);
  }
  MastersChanged();
}

NamedTensors AdamW::State() const {
  NamedTensors state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    state.push_back({name, masters_[i]});
    state.push_back({absl::StrCat("exp_avg.", name), exp_avgs_[i]});
    state.push_back({absl::StrCat("exp_avg_sq.", name), exp_avg_sqs_[i]});
  }
  return state;
}

void AdamW::MastersChanged() {
  c10::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!OwnMaster(parameters_[i].tensor)) parameters_[i].tensor.detach().copy_(masters_[i]);
  }
}

}  // namespace trainyard::worker
