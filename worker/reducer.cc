#include "worker/reducer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "base/status.h"

namespace trainyard::worker {
namespace {

at::ScalarType MainType(const at::Tensor& parameter) {
  return parameter.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace

class Reducer::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(Reducer* reducer, size_t parameter) : reducer_(reducer), parameter_(parameter) {}
  void operator()(const torch::autograd::Variable& tensor) override {
    reducer_->Accumulate(parameter_, tensor);
  }

 private:
  Reducer* const reducer_;
  const size_t parameter_;
};

Reducer::Reducer(const NamedTensors& parameters, collective::Group* group, int64_t bucket_bytes)
    : parameters_(parameters),
      group_(group),
      gradients_(parameters.size()),
      bucket_of_(parameters.size()),
      seen_(parameters.size(), false) {
  int64_t filled_bytes = bucket_bytes;  // the first parameter opens a bucket
  at::ScalarType type = at::kFloat;
  for (size_t i = parameters_.size(); i-- > 0;) {
    const at::Tensor& parameter = parameters_[i].tensor;
    if (filled_bytes >= bucket_bytes || MainType(parameter) != type) {
      buckets_.emplace_back();
      filled_bytes = 0;
      type = MainType(parameter);
    }
    buckets_.back().parameters.push_back(i);
    bucket_of_[i] = buckets_.size() - 1;
    filled_bytes += parameter.numel() * static_cast<int64_t>(c10::elementSize(type));
  }
  for (const Bucket& bucket : buckets_) {
    const at::Tensor& first = parameters_[bucket.parameters.front()].tensor;
    int64_t size = 0;
    for (size_t i : bucket.parameters) size += parameters_[i].tensor.numel();
    flats_.push_back(at::zeros({size}, first.options().dtype(MainType(first))));
    int64_t offset = 0;
    for (size_t i : bucket.parameters) {
      const at::Tensor& parameter = parameters_[i].tensor;
      gradients_[i] = flats_.back().narrow(0, offset, parameter.numel()).view(parameter.sizes());
      offset += parameter.numel();
    }
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameters_[i].tensor,
                                                   std::make_unique<Hook>(this, i));
  }
}

Reducer::~Reducer() {
  for (const NamedTensor& parameter : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.tensor, nullptr);
  }
}

void Reducer::BeginStep() {
  seen_.assign(seen_.size(), false);
  last_ = false;
  next_launch_ = 0;
  for (Bucket& bucket : buckets_) {
    bucket.waiting = static_cast<int>(bucket.parameters.size());
    bucket.pending.reset();
  }
}

void Reducer::BeginMicroBatch(bool last) { last_ = last; }

void Reducer::Accumulate(size_t parameter, const at::Tensor& tensor) {
  c10::NoGradGuard no_grad;
  at::Tensor& gradient = tensor.mutable_grad();
  // The first gradient of a step overwrites what the step before left in the bucket.
  if (seen_[parameter]) {
    gradients_[parameter].add_(gradient);
  } else {
    gradients_[parameter].copy_(gradient);
    seen_[parameter] = true;
  }
  gradient.reset();
  if (!last_) return;
  --buckets_[bucket_of_[parameter]].waiting;
  LaunchReady(/*all=*/false);
}

void Reducer::LaunchReady(bool all) {
  for (; next_launch_ < buckets_.size(); ++next_launch_) {
    Bucket& bucket = buckets_[next_launch_];
    if (!all && bucket.waiting > 0) return;
    for (size_t i : bucket.parameters) {
      if (!seen_[i]) gradients_[i].zero_();
    }
    bucket.pending = group_->StartAllReduce(flats_[next_launch_]);
  }
}

void Reducer::Launch() {
  c10::NoGradGuard no_grad;
  LaunchReady(/*all=*/true);
}

absl::Status Reducer::Wait() {
  for (Bucket& bucket : buckets_) {
    TY_CHECK(bucket.pending != nullptr);  // Launch came before
    TY_RETURN_IF_ERROR(bucket.pending->Wait());
    bucket.pending.reset();
  }
  return absl::OkStatus();
}

Json Reducer::Layout() const {
  Json layout = Json::array();
  for (const Bucket& bucket : buckets_) {
    Json names = Json::array();
    for (size_t i : bucket.parameters) names.push_back(parameters_[i].name);
    layout.push_back(std::move(names));
  }
  return layout;
}

}  // namespace trainyard::worker
