#include "tests/kernels/fp32_suite.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "tests/kernels/gemm_suite.h"

namespace trainyard::kernels {

std::vector<float> TestNumbers(uint64_t stream, int64_t count) {
  const CounterRandom random(DeriveKey(7, "kernel test", stream));
  std::vector<float> numbers(count);
  for (int64_t i = 0; i < count; ++i) numbers[i] = 2 * random.UniformFloat(i) - 1;
  return numbers;
}

namespace {

TEST_P(Fp32KernelsTest, GemmIsTheProduct) {
  ProductKernels kernels{*table_, BestBf16Kernels(), {}};
  ExpectProducts(kernels, WeightType::kF32,
                 {{1, 7, 5}, {13, 64, 96}, {29, 33, 131}, {100, 16, 32}});
}

TEST_P(Fp32KernelsTest, ARowOfGemmDoesNotDependOnTheOthers) {
  ProductKernels kernels{*table_, BestBf16Kernels(), {}};
  ExpectRowsDoNotDependOnTheOthers(kernels, WeightType::kF32);
}

struct Cache {
  int value_stride, block_stride;
  std::vector<float> memory;
};

struct KeysAndValues {
  int tokens, head_dim;
  std::vector<float> keys_TD, values_TD;
};

// A cache that holds the keys and values in the blocks that `table` names; the rest is NaN, as what
// others left behind may be.
Cache FillCache(const std::vector<int32_t>& table, const KeysAndValues& given) {
  const int head_dim = given.head_dim, tokens = given.tokens;
  Cache cache{(head_dim + 15) / 16 * 16, 0, {}};
  cache.block_stride = 16 * (head_dim + cache.value_stride);
  const int blocks = 1 + *std::max_element(table.begin(), table.end());
  cache.memory.assign(blocks * cache.block_stride, std::numeric_limits<float>::quiet_NaN());
  for (int t = 0; t < tokens; ++t) {
    float* block = cache.memory.data() + table[t / 16] * cache.block_stride;
    for (int d = 0; d < head_dim; ++d) {
      block[d * 16 + t % 16] = given.keys_TD[t * head_dim + d];
      block[16 * head_dim + t % 16 * cache.value_stride + d] = given.values_TD[t * head_dim + d];
    }
  }
  return cache;
}

// Attention of one query over the tokens from `first` on, in double.
std::vector<double> ExpectedAttention(const std::vector<float>& query, const KeysAndValues& given,
                                      int first) {
  const int head_dim = given.head_dim;
  std::vector<double> out(head_dim);
  double sum = 0;
  for (int t = first; t < given.tokens; ++t) {
    double score = 0;
    for (int d = 0; d < head_dim; ++d) score += double{query[d]} * given.keys_TD[t * head_dim + d];
    const double weight = std::exp(score * 0.3);
    sum += weight;
    for (int d = 0; d < head_dim; ++d) out[d] += weight * given.values_TD[t * head_dim + d];
  }
  for (double& value : out) value /= sum;
  return out;
}

TEST_P(Fp32KernelsTest, AttentionIsSoftmaxOfScoresTimesValuesFromTheFirstTokenOfTheWindow) {
  const std::vector<int32_t> blocks = {3, 0, 5, 1, 6, 2};
  for (int head_dim : {8, 11, 16, 40, 64, 128}) {
    for (int tokens : {1, 15, 16, 17, 50, 96}) {
      const auto query = TestNumbers(4, head_dim);
      const KeysAndValues given = {tokens, head_dim, TestNumbers(5, tokens * head_dim),
                                   TestNumbers(6, tokens * head_dim)};
      const Cache cache = FillCache(blocks, given);
      for (int first : {0, 1, 15, 16, 33, tokens - 1}) {
        if (first >= tokens) continue;
        std::vector<float> out(head_dim), scores(96);
        table_->attend({query.data(), out.data(), cache.memory.data(),
                        cache.memory.data() + 16 * head_dim, cache.block_stride, blocks.data(),
                        first, tokens, head_dim, cache.value_stride, 0.3f, scores.data()});
        const std::vector<double> want = ExpectedAttention(query, given, first);
        for (int d = 0; d < head_dim; ++d) ASSERT_NEAR(out[d], want[d], 2e-6) << tokens;
      }
    }
  }
}

TEST_P(Fp32KernelsTest, ElementwiseFunctionsMatchDouble) {
  for (int n : {1, 16, 37, 344}) {
    const auto x = TestNumbers(8, n), weight = TestNumbers(9, n);
    double squares = 0;
    for (float value : x) squares += double{value} * value;
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
    const double spread = std::sqrt(squares / n - mean * mean + 1e-5);
    std::vector<float> normed(n), layer(n), silu(n), gelu(n);
    table_->rms_norm(x.data(), weight.data(), n, 1e-5f, normed.data());
    table_->layer_norm({weight.data(), x.data(), n, 1e-5f}, x.data(), layer.data());
    for (int i = 0; i < n; ++i) silu[i] = gelu[i] = 12 * x[i];
    table_->silu_mul(silu.data(), weight.data(), n);
    table_->gelu_tanh(gelu.data(), n);
    for (int i = 0; i < n; ++i) {
      ASSERT_NEAR(normed[i], x[i] / std::sqrt(squares / n + 1e-5) * weight[i], 3e-6);
      ASSERT_NEAR(layer[i], (x[i] - mean) / spread * weight[i] + x[i], 2e-5);
      const double wide = 12.0f * x[i];
      ASSERT_NEAR(silu[i], wide / (1 + std::exp(-wide)) * weight[i], 3e-6);
      const double u = 0.7978845608028654 * (wide + 0.044715 * wide * wide * wide);
      ASSERT_NEAR(gelu[i], 0.5 * wide * (1 + std::tanh(u)), 3e-6);
    }
  }
}

TEST_P(Fp32KernelsTest, ExpSumIsTheSoftmaxDenominatorAndForbiddenTokensAreExactlyZero) {
  for (int n : {1, 31, 256, 300, 8192}) {
    auto x = TestNumbers(10, n);
    for (float& value : x) value *= 30;
    if (n > 2) x[1] = -std::numeric_limits<float>::infinity();
    const float max = table_->row_max(x.data(), n);
    EXPECT_EQ(max, *std::max_element(x.begin(), x.end()));
    const float inverse = 1 / 0.7f;
    std::vector<float> out(n), chunks((n + 255) / 256);
    const double sum =
        table_->exp_sum({x.data(), n, max, inverse, out.data(), chunks.data()});
    EXPECT_EQ(sum, std::accumulate(chunks.begin(), chunks.end(), 0.0));
    double want = 0;
    for (int i = 0; i < n; ++i) {
      const double e = std::exp((double{x[i]} - max) * inverse);
      want += e;
      ASSERT_NEAR(out[i], e, 2e-5 * e + 1e-37) << x[i];
    }
    EXPECT_NEAR(sum / want, 1, 1e-6);
    if (n > 2) {
      EXPECT_EQ(out[1], 0);
    }
  }
}

TEST_P(Fp32KernelsTest, RowMaxReportsNaN) {
  std::vector<float> x(40, 1.0f);
  x[33] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(table_->row_max(x.data(), 40)));
  EXPECT_EQ(table_->row_max(x.data(), 33), 1.0f);
}

}  // namespace
}  // namespace trainyard::kernels
