#include "model/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "base/status.h"
#include "model/attention_task.h"
#include "model/gemm.h"

namespace trainyard::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The tensors of one call, and their types as the kernels name them.
struct Call {
  AttentionLayout layout;
  at::Tensor qkv;
  at::Tensor out;
  at::Tensor normalisers_HN;
};

template <typename Torch, typename T>
AttentionPointers<T> PointersOf(const Call& call) {
  AttentionPointers<T> pointers;
  const AttentionLayout& layout = call.layout;
  pointers.heads = layout.heads;
  pointers.kv_heads = layout.kv_heads;
  pointers.head_width = layout.head_width;
  pointers.window = layout.window;
  pointers.rows = call.qkv.size(0);
  pointers.qkv = reinterpret_cast<const T*>(call.qkv.const_data_ptr<Torch>());
  pointers.out = reinterpret_cast<T*>(call.out.mutable_data_ptr<Torch>());
  pointers.normalisers = call.normalisers_HN.mutable_data_ptr<typename WideOf<T>::type>();
  pointers.positions = layout.positions_N.const_data_ptr<int64_t>();
  if (layout.cos_PE.defined()) {
    pointers.cos = layout.cos_PE.const_data_ptr<float>();
    pointers.sin = layout.sin_PE.const_data_ptr<float>();
  }
  return pointers;
}

// Runs body(segment, kv_head, scratch) for all of them, threads taking the next one as they come
// free: segments are of unequal length.
template <typename T, typename Body>
void ForEachTask(const AttentionLayout& layout, const Body& body) {
  const int64_t segments = static_cast<int64_t>(layout.segment_offsets.size()) - 1;
  const int64_t tasks = segments * layout.kv_heads;
  int64_t longest = 0;
  for (int64_t s = 0; s < segments; ++s) {
    longest = std::max(longest, layout.segment_offsets[s + 1] - layout.segment_offsets[s]);
  }
  std::atomic<int64_t> next{0};
  const int64_t workers = std::min<int64_t>(tasks, at::get_num_threads());
  at::parallel_for(0, workers, 1, [&](int64_t begin, int64_t end) {
    const OneProductThread one_thread;
    AttentionScratch<T> scratch(longest, layout.head_width);
    for (int64_t worker = begin; worker < end; ++worker) {
      for (int64_t task = next++; task < tasks; task = next++) {
        const int64_t s = task / layout.kv_heads;
        const Segment segment{layout.segment_offsets[s],
                              layout.segment_offsets[s + 1] - layout.segment_offsets[s]};
        body(segment, task % layout.kv_heads, scratch);
      }
    }
  });
}

template <typename Torch, typename T>
void RunForward(const Call& call) {
  const AttentionPointers<T> pointers = PointersOf<Torch, T>(call);
  ForEachTask<T>(call.layout, [&](Segment segment, int64_t kv_head, AttentionScratch<T>& scratch) {
    AttendForward(pointers, segment, kv_head, scratch);
  });
}

template <typename Torch, typename T>
void RunBackward(const Call& call, const at::Tensor& grad_out, const at::Tensor& grad_qkv) {
  AttentionPointers<T> pointers = PointersOf<Torch, T>(call);
  pointers.grad_out = reinterpret_cast<const T*>(grad_out.const_data_ptr<Torch>());
  pointers.grad_qkv = reinterpret_cast<T*>(grad_qkv.mutable_data_ptr<Torch>());
  ForEachTask<T>(call.layout, [&](Segment segment, int64_t kv_head, AttentionScratch<T>& scratch) {
    AttendBackward(pointers, segment, kv_head, scratch);
  });
}

void ZeroInertRows(const Call& call, const at::Tensor& rows) {
  const int64_t real = call.layout.segment_offsets.back();
  if (real < rows.size(0)) rows.narrow(0, real, rows.size(0) - real).zero_();
}

Call ForwardCall(const at::Tensor& qkv, const AttentionLayout& layout) {
  Call call{layout, qkv.contiguous(), {}, {}};
  const auto wide = qkv.options().dtype(WideType(qkv.scalar_type()));
  call.out = at::empty({qkv.size(0), layout.heads * layout.head_width}, qkv.options());
  call.normalisers_HN = at::empty({layout.heads, qkv.size(0)}, wide);
  ZeroInertRows(call, call.out);
  switch (qkv.scalar_type()) {
    case at::kDouble:
      RunForward<double, double>(call);
      break;
    case at::kFloat:
      RunForward<float, float>(call);
      break;
    default:
      RunForward<at::BFloat16, Bf16>(call);
  }
  return call;
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv,
                            const std::shared_ptr<const AttentionLayout>& layout) {
    const Call call = ForwardCall(qkv, *layout);
    context->save_for_backward({call.qkv, call.out, call.normalisers_HN, layout->positions_N,
                                layout->cos_PE, layout->sin_PE});
    context->saved_data["sizes"] =
        std::vector<int64_t>{layout->heads, layout->kv_heads, layout->head_width, layout->window};
    context->saved_data["segments"] = layout->segment_offsets;
    return call.out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<int64_t> sizes = context->saved_data["sizes"].toIntVector();
    const AttentionLayout layout{
        sizes[0], sizes[1], sizes[2], context->saved_data["segments"].toIntVector(),
        saved[3], saved[4], saved[5], sizes[3]};
    const Call call{layout, saved[0], saved[1], saved[2]};
    const at::Tensor grad_qkv = at::empty_like(call.qkv), grad_out = grads[0].contiguous();
    ZeroInertRows(call, grad_qkv);
    switch (call.qkv.scalar_type()) {
      case at::kDouble:
        RunBackward<double, double>(call, grad_out, grad_qkv);
        break;
      case at::kFloat:
        RunBackward<float, float>(call, grad_out, grad_qkv);
        break;
      default:
        RunBackward<at::BFloat16, Bf16>(call, grad_out, grad_qkv);
    }
    return {grad_qkv, at::Tensor()};
  }
};

}  // namespace

at::Tensor CpuAttention(const at::Tensor& qkv, const AttentionLayout& layout) {
  if (!at::GradMode::is_enabled()) return ForwardCall(qkv, layout).out;
  return AttentionFunction::apply(qkv, std::make_shared<const AttentionLayout>(layout));
}

}  // namespace trainyard::model
