#include "model/attention_task.h"

#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cmath>

#include "model/gemm.h"

namespace trainyard::model {
namespace {

const double* ForProduct(const double* x) { return x; }
const float* ForProduct(const float* x) { return x; }
const at::BFloat16* ForProduct(const Bf16* x) { return reinterpret_cast<const at::BFloat16*>(x); }

// A segment's head: where its rows are, and how they are turned.
template <typename T>
class Heads {
 public:
  using Wide = typename WideOf<T>::type;

  Heads(const AttentionPointers<T>& pointers, Segment segment)
      : p_(pointers), segment_(segment), kernels_(RowKernelsFor<T>()) {}

  int64_t stride() const { return (p_.heads + 2 * p_.kv_heads) * p_.head_width; }
  int64_t out_stride() const { return p_.heads * p_.head_width; }
  // First number of a row's slice; slices: queries, then keys, then values.
  int64_t At(int64_t row, int64_t slice) const {
    return (segment_.begin + row) * stride() + slice * p_.head_width;
  }
  int64_t OutAt(int64_t row, int64_t head) const {
    return (segment_.begin + row) * out_stride() + head * p_.head_width;
  }

  void Gather(int64_t slice, bool rotated, T* rows) const {
    for (int64_t row = 0; row < segment_.rows; ++row) {
      kernels_.rotate(RotationOf(row, rotated), p_.qkv + At(row, slice),
                      rows + row * p_.head_width);
    }
  }
  // Gradients of `count` rows from `first` on, turned back.
  void Scatter(int64_t slice, bool rotated, const Wide* grads, Segment rows) const {
    for (int64_t row = 0; row < rows.rows; ++row) {
      kernels_.rotate_back(RotationOf(rows.begin + row, rotated), grads + row * p_.head_width,
                           p_.grad_qkv + At(rows.begin + row, slice));
    }
  }

 private:
  Rotation RotationOf(int64_t row, bool rotated) const {
    if (!rotated || p_.cos == nullptr) return {nullptr, nullptr, p_.head_width};
    const int64_t at = p_.positions[segment_.begin + row] * (p_.head_width / 2);
    return {p_.cos + at, p_.sin + at, p_.head_width};
  }

  const AttentionPointers<T>& p_;
  const Segment segment_;
  const RowKernels<T>& kernels_;
};

// out = a b^T, a b or a^T b with rows of `shape` dense unless strides say otherwise.
RawProduct Dense(Product product, int64_t rows, int64_t columns, int64_t inner) {
  RawProduct shape;
  shape.product = product;
  shape.rows = rows;
  shape.columns = columns;
  shape.inner = inner;
  shape.a_stride = product == Product::kAtB ? rows : inner;
  shape.b_stride = product == Product::kABt ? inner : columns;
  shape.out_stride = columns;
  return shape;
}

double ScaleOf(int64_t head_width) { return 1.0 / std::sqrt(static_cast<double>(head_width)); }

// Query rows [begin, end) of a segment, and the keys [first, end) that any of them sees. Scores and
// weights of a block are [end - begin, keys()].
struct Block {
  int64_t begin = 0, end = 0, first = 0;
  int64_t rows() const { return end - begin; }
  int64_t keys() const { return end - first; }
};

// The first key that a query row sees.
int64_t FirstKey(int64_t row, int64_t window) {
  return window == 0 ? 0 : std::max<int64_t>(row + 1 - window, 0);
}

Block BlockAt(int64_t begin, int64_t segment_rows, int64_t window) {
  // A multiple, so that the keys' rows stay on a cache line's border.
  constexpr int64_t kKeyMultiple = 64;
  return {begin, std::min(begin + kQueryBlockRows, segment_rows),
          FirstKey(begin, window) / kKeyMultiple * kKeyMultiple};
}

// One row of a block: `hidden` keys before its window, then the row that the kernels see, which
// begins at `at` in the block's scores and weights.
struct Visible {
  int64_t hidden = 0, at = 0;
  SoftmaxRow row;
};

Visible VisibleAt(const Block& block, int64_t row, int64_t window) {
  const int64_t hidden = FirstKey(row, window) - block.first;
  return {hidden,
          (row - block.begin) * block.keys() + hidden,
          {row + 1 - block.first - hidden, block.keys() - hidden}};
}

// scores = scale * queries keys^T
template <typename T>
void Score(const AttentionPointers<T>& p, const Block& block, AttentionScratch<T>& s) {
  const int64_t e = p.head_width;
  RawProduct shape = Dense(Product::kABt, block.rows(), block.keys(), e);
  shape.scale = ScaleOf(e);
  MultiplyRaw(shape, ForProduct(s.queries.data() + block.begin * e),
              ForProduct(s.keys.data() + block.first * e), s.scores.data());
}

template <typename T>
void ForwardBlock(const AttentionPointers<T>& p, Segment segment, int64_t head, int64_t begin,
                  AttentionScratch<T>& s) {
  const RowKernels<T>& kernels = RowKernelsFor<T>();
  const Heads<T> heads(p, segment);
  const Block block = BlockAt(begin, segment.rows, p.window);
  const int64_t e = p.head_width;
  Score(p, block, s);
  for (int64_t row = begin; row < block.end; ++row) {
    const Visible visible = VisibleAt(block, row, p.window);
    T* weights = s.weights.data() + visible.at;
    std::fill(weights - visible.hidden, weights, T{});
    p.normalisers[head * p.rows + segment.begin + row] =
        kernels.softmax(visible.row, s.scores.data() + visible.at, weights);
  }
  MultiplyRaw(Dense(Product::kAB, block.rows(), e, block.keys()), ForProduct(s.weights.data()),
              ForProduct(s.values.data() + block.first * e), s.sums.data());
  for (int64_t row = begin; row < block.end; ++row) {
    kernels.narrow(s.sums.data() + (row - begin) * e, nullptr, e, p.out + heads.OutAt(row, head));
  }
}

// Attention weights of a block again, into s.weights: same product, so the same scores.
template <typename T>
void WeightsAgain(const AttentionPointers<T>& p, Segment segment, int64_t head, const Block& block,
                  AttentionScratch<T>& s) {
  const RowKernels<T>& kernels = RowKernelsFor<T>();
  Score(p, block, s);
  for (int64_t row = block.begin; row < block.end; ++row) {
    const Visible visible = VisibleAt(block, row, p.window);
    T* weights = s.weights.data() + visible.at;
    std::fill(weights - visible.hidden, weights, T{});
    kernels.softmax_again(visible.row, s.scores.data() + visible.at,
                          p.normalisers[head * p.rows + segment.begin + row], weights);
  }
}

template <typename T>
void BackwardBlock(const AttentionPointers<T>& p, Segment segment, int64_t head, int64_t begin,
                   AttentionScratch<T>& s) {
  using Wide = typename WideOf<T>::type;
  const RowKernels<T>& kernels = RowKernelsFor<T>();
  const Heads<T> heads(p, segment);
  const Block block = BlockAt(begin, segment.rows, p.window);
  const int64_t e = p.head_width, rows = block.rows(), keys = block.keys();
  const int64_t first_at = block.first * e;
  const T* grad_out = s.grad_rows.data() + begin * e;
  WeightsAgain(p, segment, head, block, s);
  RawProduct add = Dense(Product::kAtB, keys, e, rows);
  add.accumulate = true;
  MultiplyRaw(add, ForProduct(s.weights.data()), ForProduct(grad_out),
              s.grad_values.data() + first_at);
  MultiplyRaw(Dense(Product::kABt, rows, keys, e), ForProduct(grad_out),
              ForProduct(s.values.data() + first_at), s.scores.data());
  for (int64_t row = begin; row < block.end; ++row) {
    const Visible visible = VisibleAt(block, row, p.window);
    const int64_t at = visible.at, out_at = heads.OutAt(row, head);
    Wide delta_and_scale[2] = {kernels.dot(p.grad_out + out_at, p.out + out_at, e),
                               static_cast<Wide>(ScaleOf(e))};
    kernels.softmax_backward(visible.row, s.weights.data() + at, s.scores.data() + at,
                             delta_and_scale, s.weights.data() + at);
  }
  MultiplyRaw(Dense(Product::kAB, rows, e, keys), ForProduct(s.weights.data()),
              ForProduct(s.keys.data() + first_at), s.sums.data());
  heads.Scatter(head, /*rotated=*/true, s.sums.data(), {begin, rows});
  MultiplyRaw(add, ForProduct(s.weights.data()), ForProduct(s.queries.data() + begin * e),
              s.grad_keys.data() + first_at);
}

}  // namespace

template <typename T>
AttentionScratch<T>::AttentionScratch(int64_t rows, int64_t head_width)
    : keys(rows * head_width),
      values(rows * head_width),
      queries(rows * head_width),
      grad_rows(rows * head_width),
      weights(kQueryBlockRows * rows),
      scores(kQueryBlockRows * rows),
      sums(kQueryBlockRows * head_width),
      grad_keys(rows * head_width),
      grad_values(rows * head_width) {}

template <typename T>
void AttendForward(const AttentionPointers<T>& p, Segment segment, int64_t kv_head,
                   AttentionScratch<T>& s) {
  const Heads<T> heads(p, segment);
  const int64_t group = p.heads / p.kv_heads;
  heads.Gather(p.heads + kv_head, /*rotated=*/true, s.keys.data());
  heads.Gather(p.heads + p.kv_heads + kv_head, /*rotated=*/false, s.values.data());
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    heads.Gather(head, /*rotated=*/true, s.queries.data());
    for (int64_t begin = 0; begin < segment.rows; begin += kQueryBlockRows) {
      ForwardBlock(p, segment, head, begin, s);
    }
  }
}

template <typename T>
void AttendBackward(const AttentionPointers<T>& p, Segment segment, int64_t kv_head,
                    AttentionScratch<T>& s) {
  const Heads<T> heads(p, segment);
  const int64_t group = p.heads / p.kv_heads, e = p.head_width;
  heads.Gather(p.heads + kv_head, /*rotated=*/true, s.keys.data());
  heads.Gather(p.heads + p.kv_heads + kv_head, /*rotated=*/false, s.values.data());
  std::fill_n(s.grad_keys.data(), segment.rows * e, 0);
  std::fill_n(s.grad_values.data(), segment.rows * e, 0);
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    heads.Gather(head, /*rotated=*/true, s.queries.data());
    for (int64_t row = 0; row < segment.rows; ++row) {
      const T* grad = p.grad_out + heads.OutAt(row, head);
      std::copy(grad, grad + e, s.grad_rows.data() + row * e);
    }
    for (int64_t begin = 0; begin < segment.rows; begin += kQueryBlockRows) {
      BackwardBlock(p, segment, head, begin, s);
    }
  }
  const Segment all{0, segment.rows};
  heads.Scatter(p.heads + kv_head, /*rotated=*/true, s.grad_keys.data(), all);
  heads.Scatter(p.heads + p.kv_heads + kv_head, /*rotated=*/false, s.grad_values.data(), all);
}

template struct AttentionScratch<double>;
template struct AttentionScratch<float>;
template struct AttentionScratch<Bf16>;
template void AttendForward(const AttentionPointers<double>&, Segment, int64_t,
                            AttentionScratch<double>&);
template void AttendForward(const AttentionPointers<float>&, Segment, int64_t,
                            AttentionScratch<float>&);
template void AttendForward(const AttentionPointers<Bf16>&, Segment, int64_t,
                            AttentionScratch<Bf16>&);
template void AttendBackward(const AttentionPointers<double>&, Segment, int64_t,
                             AttentionScratch<double>&);
template void AttendBackward(const AttentionPointers<float>&, Segment, int64_t,
                             AttentionScratch<float>&);
template void AttendBackward(const AttentionPointers<Bf16>&, Segment, int64_t,
                             AttentionScratch<Bf16>&);

}  // namespace trainyard::model
