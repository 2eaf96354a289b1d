#include "tests/model/row_kernels_suite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"

namespace trainyard::model {
namespace {

double ToDouble(double x) { return x; }
double ToDouble(float x) { return x; }
double ToDouble(Bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

void Assign(double* out, double x) { *out = x; }
void Assign(float* out, double x) { *out = static_cast<float>(x); }
void Assign(Bf16* out, double x) {
  const float value = static_cast<float>(x);
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  out->bits = static_cast<uint16_t>(bits >> 16);
}

template <typename T>
std::vector<T> Numbers(int64_t size, uint64_t seed) {
  std::vector<T> numbers(static_cast<size_t>(size));
  const CounterRandom random(seed);
  for (size_t i = 0; i < numbers.size(); ++i) {
    Assign(&numbers[i], 6.0 * random.UniformDouble(i) - 3.0);
  }
  return numbers;
}

template <typename T>
constexpr double kTolerance = 1e-12;
template <>
constexpr double kTolerance<float> = 2e-6;
template <>
constexpr double kTolerance<Bf16> = 5e-3;

template <typename T>
void ExpectNear(T ours, double theirs, const char* what) {
  EXPECT_NEAR(ToDouble(ours), theirs, kTolerance<T> * std::max(1.0, std::abs(theirs))) << what;
}

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

template <typename T>
void CheckNorm(const RowKernels<T>& kernels, int64_t n, bool with_bias) {
  using Wide = typename WideOf<T>::type;
  const auto x = Numbers<T>(n, 1), weight = Numbers<T>(n, 2), bias = Numbers<T>(n, 3);
  const NormRow<T> row{x.data(), weight.data(), with_bias ? bias.data() : nullptr, n, 1e-5};
  double mean = 0, squares = 0;
  for (const T value : x) mean += with_bias ? ToDouble(value) / static_cast<double>(n) : 0.0;
  for (const T value : x) squares += std::pow(ToDouble(value) - mean, 2) / static_cast<double>(n);
  const double inverse = 1.0 / std::sqrt(squares + 1e-5);
  std::vector<T> out(x.size()), grad_x(x.size());
  const auto moments = kernels.norm(row, out.data());
  const auto grad_out = Numbers<T>(n, 4);
  std::vector<Wide> grad_weight(x.size(), 1), grad_bias(x.size(), 1);
  kernels.norm_backward(
      row, moments,
      {grad_out.data(), grad_x.data(), grad_weight.data(), with_bias ? grad_bias.data() : nullptr});
  double dot = 0, sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double g = ToDouble(grad_out[i]) * ToDouble(weight[i]) / static_cast<double>(n);
    dot += g * (ToDouble(x[i]) - mean) * inverse;
    sum += with_bias ? g : 0.0;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const double normal = (ToDouble(x[i]) - mean) * inverse;
    const double g = ToDouble(grad_out[i]) * ToDouble(weight[i]);
    ExpectNear(out[i], normal * ToDouble(weight[i]) + (with_bias ? ToDouble(bias[i]) : 0), "norm");
    ExpectNear(grad_x[i], inverse * (g - sum - normal * dot), "norm's gradient");
    ExpectNear(grad_weight[i], 1 + ToDouble(grad_out[i]) * normal, "norm's weight gradient");
    if (with_bias) ExpectNear(grad_bias[i], 1 + ToDouble(grad_out[i]), "norm's bias gradient");
  }
}

template <typename T>
void CheckActivations(const RowKernels<T>& kernels, int64_t n) {
  const auto gate_up = Numbers<T>(2 * n, 5), grad_out = Numbers<T>(n, 6);
  const size_t width = static_cast<size_t>(n);
  std::vector<T> out(width), grad(2 * width);
  kernels.swiglu(gate_up.data(), gate_up.data() + n, n, out.data());
  kernels.swiglu_backward(gate_up.data(), grad_out.data(), n, grad.data());
  for (size_t i = 0; i < width; ++i) {
    const double g = ToDouble(gate_up[i]), u = ToDouble(gate_up[width + i]), s = Sigmoid(g);
    ExpectNear(out[i], g * s * u, "swiglu");
    ExpectNear(grad[i], ToDouble(grad_out[i]) * u * (s + g * s * (1 - s)), "swiglu's gate");
    ExpectNear(grad[width + i], ToDouble(grad_out[i]) * g * s, "swiglu's up");
  }
  kernels.gelu(gate_up.data(), n, out.data());
  kernels.gelu_backward(gate_up.data(), grad_out.data(), n, grad.data());
  const double root = std::sqrt(2.0 / M_PI);
  for (size_t i = 0; i < width; ++i) {
    const double v = ToDouble(gate_up[i]), t = std::tanh(root * (v + 0.044715 * v * v * v));
    const double slope = root * (1 + 3 * 0.044715 * v * v) * (1 - t * t);
    ExpectNear(out[i], 0.5 * v * (1 + t), "gelu");
    ExpectNear(grad[i], ToDouble(grad_out[i]) * 0.5 * (1 + t + v * slope), "gelu's gradient");
  }
}

template <typename T>
void CheckRotation(const RowKernels<T>& kernels, int64_t n) {
  using Wide = typename WideOf<T>::type;
  const size_t half = static_cast<size_t>(n / 2);
  std::vector<float> cos(half), sin(half);
  for (size_t i = 0; i < half; ++i) {
    cos[i] = std::cos(0.3f * static_cast<float>(i));
    sin[i] = std::sin(0.3f * static_cast<float>(i));
  }
  const Rotation rotation{cos.data(), sin.data(), 2 * (n / 2)};
  const auto x = Numbers<T>(n, 7);
  std::vector<T> turned(x.size()), back(x.size());
  kernels.rotate(rotation, x.data(), turned.data());
  std::vector<Wide> wide(x.size());
  for (size_t i = 0; i < x.size(); ++i) wide[i] = static_cast<Wide>(ToDouble(turned[i]));
  kernels.rotate_back(rotation, wide.data(), back.data());
  for (size_t i = 0; i < half; ++i) {
    const double a = ToDouble(x[i]), b = ToDouble(x[half + i]);
    ExpectNear(turned[i], a * cos[i] - b * sin[i], "rotated low half");
    ExpectNear(turned[half + i], b * cos[i] + a * sin[i], "rotated high half");
    EXPECT_NEAR(ToDouble(back[i]), a, 4 * std::max(kTolerance<T>, 1e-7) * 3) << "turned back";
  }
}

template <typename T>
void CheckSoftmax(const RowKernels<T>& kernels, int64_t n) {
  using Wide = typename WideOf<T>::type;
  const SoftmaxRow row{n - n / 3, n};
  const auto scores = Numbers<Wide>(n, 8), grad_weights = Numbers<Wide>(n, 9);
  std::vector<Wide> work = scores;
  std::vector<T> weights(scores.size()), again(scores.size()), grads(scores.size());
  const Wide normaliser = kernels.softmax(row, work.data(), weights.data());
  kernels.softmax_again(row, scores.data(), normaliser, again.data());
  Wide delta_and_scale[2] = {Wide(0.25), Wide(0.5)};
  kernels.softmax_backward(row, weights.data(), grad_weights.data(), delta_and_scale, grads.data());
  double sum = 0;
  for (int64_t i = 0; i < row.visible; ++i) sum += std::exp(ToDouble(scores[i]));
  EXPECT_NEAR(ToDouble(normaliser), std::log(sum), 1e-5);
  for (int64_t i = 0; i < n; ++i) {
    const double p = i < row.visible ? std::exp(ToDouble(scores[i])) / sum : 0.0;
    ExpectNear(weights[i], p, "softmax");
    ExpectNear(again[i], p, "softmax again");
    ExpectNear(grads[i], ToDouble(weights[i]) * (ToDouble(grad_weights[i]) - 0.25) * 0.5,
               "softmax's gradient");
  }
}

template <typename T>
void CheckCrossEntropy(const RowKernels<T>& kernels, int64_t n) {
  using Wide = typename WideOf<T>::type;
  const CrossEntropyRow<Wide> row{n, n / 2, Wide(0.75), Wide(0.01)};
  const auto logits = Numbers<Wide>(n, 10);
  std::vector<Wide> work = logits, unasked = logits;
  std::vector<T> grad(logits.size());
  const Wide loss = kernels.cross_entropy(row, work.data(), grad.data());
  EXPECT_EQ(kernels.cross_entropy(row, unasked.data(), nullptr), loss);
  double sum = 0;
  for (const Wide logit : logits) sum += std::exp(ToDouble(logit));
  const double z = std::log(sum);
  EXPECT_NEAR(ToDouble(loss), 0.75 * (z - ToDouble(logits[n / 2]) + 0.01 * z * z), 1e-5);
  for (int64_t i = 0; i < n; ++i) {
    const double p = std::exp(ToDouble(logits[i])) / sum;
    ExpectNear(grad[i], 0.75 * (p * (1 + 0.02 * z) - (i == n / 2 ? 1.0 : 0.0)), "cross-entropy");
  }
}

template <typename T>
void CheckScore(const RowKernels<T>& kernels, int64_t n) {
  using Wide = typename WideOf<T>::type;
  const ScoreRow<Wide> row{n, n / 2, Wide(1.25)};
  const auto logits = Numbers<Wide>(n, 14);
  double sum = 0, entropy = 0;
  for (const Wide logit : logits) sum += std::exp(1.25 * ToDouble(logit));
  const auto log_prob = [&](int64_t i) { return 1.25 * ToDouble(logits[i]) - std::log(sum); };
  for (int64_t i = 0; i < n; ++i) entropy -= std::exp(log_prob(i)) * log_prob(i);
  const RowScores<Wide> scores = kernels.score(row, logits.data());
  EXPECT_NEAR(ToDouble(scores.log_prob), log_prob(n / 2), 1e-5);
  EXPECT_NEAR(ToDouble(scores.entropy), entropy, 1e-5);
  EXPECT_NEAR(ToDouble(scores.normaliser), std::log(sum), 1e-5);
  std::vector<T> grad(logits.size());
  kernels.score_backward(row, scores, {Wide(0.5), Wide(-2)}, logits.data(), grad.data());
  for (int64_t i = 0; i < n; ++i) {
    const double p = std::exp(log_prob(i));
    const double expected = 0.5 * ((i == n / 2 ? 1.0 : 0.0) - p) + 2 * p * (log_prob(i) + entropy);
    EXPECT_NEAR(ToDouble(grad[i]), 1.25 * expected, std::max(2e-5, kTolerance<T>)) << "score";
  }
}

template <typename T>
void CheckSums(const RowKernels<T>& kernels, int64_t n) {
  using Wide = typename WideOf<T>::type;
  const auto a = Numbers<T>(n, 11), b = Numbers<T>(n, 12);
  const auto x = Numbers<Wide>(n, 13);
  double dot = 0;
  for (size_t i = 0; i < a.size(); ++i) dot += ToDouble(a[i]) * ToDouble(b[i]);
  EXPECT_NEAR(ToDouble(kernels.dot(a.data(), b.data(), n)), dot, 1e-3);
  std::vector<T> out(a.size());
  kernels.narrow(x.data(), b.data(), n, out.data());
  for (size_t i = 0; i < a.size(); ++i) {
    ExpectNear(out[i], ToDouble(x[i]) + ToDouble(b[i]), "narrow");
  }
}

template <typename T>
void CheckTable(const RowKernels<T>& kernels) {
  for (const int64_t width : {4, 16, 30, 65, 129}) {
    CheckNorm(kernels, width, /*with_bias=*/false);
    CheckNorm(kernels, width, /*with_bias=*/true);
    CheckActivations(kernels, width);
    CheckRotation(kernels, width);
    CheckSoftmax(kernels, width);
    CheckCrossEntropy(kernels, width);
    CheckScore(kernels, width);
    CheckSums(kernels, width);
  }
}

}  // namespace

void CheckRowKernels(const internal::RowKernelTables& tables) {
  CheckTable(tables.f64);
  CheckTable(tables.f32);
  CheckTable(tables.bf16);
}

}  // namespace trainyard::model
