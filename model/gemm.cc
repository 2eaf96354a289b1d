#include "model/gemm.h"

#include <ATen/ATen.h>
#include <cpuid.h>

#include "base/status.h"

// MKL, which is inside libtorch_cpu; the wheel brings no header of it. LP64: integers are 32 bits.
extern "C" {
void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
            const int* k, const float* alpha, const float* a, const int* lda, const float* b,
            const int* ldb, const float* beta, float* c, const int* ldc);
void dgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
            const int* k, const double* alpha, const double* a, const int* lda, const double* b,
            const int* ldb, const double* beta, double* c, const int* ldc);
void cblas_gemm_bf16bf16f32(int layout, int transpose_a, int transpose_b, int m, int n, int k,
                            float alpha, const void* a, int lda, const void* b, int ldb, float beta,
                            float* c, int ldc);
int MKL_Set_Num_Threads_Local(int threads);
}

namespace trainyard::model {
namespace {

constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;

struct Ints {
  int m, n, k, lda, ldb, ldc;
};

Ints Narrow(const RawProduct& shape) {
  const auto narrow = [](int64_t value) {
    TY_CHECK(value <= INT32_MAX);
    return static_cast<int>(value);
  };
  return {narrow(shape.rows),     narrow(shape.columns),  narrow(shape.inner),
          narrow(shape.a_stride), narrow(shape.b_stride), narrow(shape.out_stride)};
}

bool TransposesA(const RawProduct& shape) { return shape.product == Product::kAtB; }
bool TransposesB(const RawProduct& shape) { return shape.product == Product::kABt; }

RawProduct ShapeOf(Product product, const at::Tensor& a, const at::Tensor& b,
                   const at::Tensor& out) {
  RawProduct shape;
  shape.product = product;
  shape.rows = out.size(0);
  shape.columns = out.size(1);
  shape.inner = product == Product::kAtB ? a.size(0) : a.size(1);
  shape.a_stride = a.stride(0);
  shape.b_stride = b.stride(0);
  shape.out_stride = out.stride(0);
  TY_CHECK(a.stride(1) == 1 && b.stride(1) == 1 && out.stride(1) == 1);
  return shape;
}

void MultiplyOnCpu(const RawProduct& shape, const at::Tensor& a, const at::Tensor& b,
                   const at::Tensor& out) {
  switch (a.scalar_type()) {
    case at::kDouble:
      return MultiplyRaw(shape, a.const_data_ptr<double>(), b.const_data_ptr<double>(),
                         out.mutable_data_ptr<double>());
    case at::kFloat:
      return MultiplyRaw(shape, a.const_data_ptr<float>(), b.const_data_ptr<float>(),
                         out.mutable_data_ptr<float>());
    default:
      return MultiplyRaw(shape, a.const_data_ptr<at::BFloat16>(), b.const_data_ptr<at::BFloat16>(),
                         out.mutable_data_ptr<float>());
  }
}

at::Tensor Widen(const at::BFloat16* x, int64_t rows, int64_t columns, int64_t stride) {
  const auto options = at::TensorOptions().dtype(at::kBFloat16);
  return at::from_blob(const_cast<at::BFloat16*>(x), {rows, columns}, {stride, 1}, options)
      .to(at::kFloat, /*non_blocking=*/false, /*copy=*/true, at::MemoryFormat::Contiguous);
}

at::Tensor AtenProduct(Product product, const at::Tensor& a, const at::Tensor& b,
                       at::ScalarType type) {
  const at::Tensor left = product == Product::kAtB ? a.t() : a;
  const at::Tensor right = product == Product::kABt ? b.t() : b;
  return a.scalar_type() == type ? at::mm(left, right) : at::mm(left, right, type);
}

}  // namespace

OneProductThread::OneProductThread() : before_(MKL_Set_Num_Threads_Local(1)) {}
OneProductThread::~OneProductThread() { MKL_Set_Num_Threads_Local(before_); }

at::ScalarType WideType(at::ScalarType type) { return type == at::kDouble ? type : at::kFloat; }

Bf16Products Bf16ProductsHere() {
  constexpr unsigned kFeatureLeaf = 7, kAmxBf16Bit = 1u << 22, kAvx512Bf16Bit = 1u << 5;
  static const Bf16Products here = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(kFeatureLeaf, 0, &a, &b, &c, &d) != 0 && (d & kAmxBf16Bit) != 0) {
      return Bf16Products::kTiles;
    }
    const bool vectors = __get_cpuid_count(kFeatureLeaf, 1, &a, &b, &c, &d) != 0;
    return vectors && (a & kAvx512Bf16Bit) != 0 ? Bf16Products::kVectors : Bf16Products::kWidened;
  }();
  return here;
}

void MultiplyRaw(const RawProduct& shape, const double* a, const double* b, double* out) {
  // Fortran is column-major: out^T = b^T a^T.
  const Ints i = Narrow(shape);
  const double beta = shape.accumulate ? 1.0 : 0.0;
  dgemm_(TransposesB(shape) ? "T" : "N", TransposesA(shape) ? "T" : "N", &i.n, &i.m, &i.k,
         &shape.scale, b, &i.ldb, a, &i.lda, &beta, out, &i.ldc);
}

void MultiplyRaw(const RawProduct& shape, const float* a, const float* b, float* out) {
  const Ints i = Narrow(shape);
  const float alpha = static_cast<float>(shape.scale), beta = shape.accumulate ? 1.0f : 0.0f;
  sgemm_(TransposesB(shape) ? "T" : "N", TransposesA(shape) ? "T" : "N", &i.n, &i.m, &i.k, &alpha,
         b, &i.ldb, a, &i.lda, &beta, out, &i.ldc);
}

void MultiplyRaw(const RawProduct& shape, const at::BFloat16* a, const at::BFloat16* b,
                 float* out) {
  if (Bf16ProductsHere() != Bf16Products::kTiles) return MultiplyWidened(shape, a, b, out);
  const Ints i = Narrow(shape);
  cblas_gemm_bf16bf16f32(kRowMajor, TransposesA(shape) ? kTranspose : kNoTranspose,
                         TransposesB(shape) ? kTranspose : kNoTranspose, i.m, i.n, i.k,
                         static_cast<float>(shape.scale), a, i.lda, b, i.ldb,
                         shape.accumulate ? 1.0f : 0.0f, out, i.ldc);
}

void MultiplyWidened(const RawProduct& shape, const at::BFloat16* a, const at::BFloat16* b,
                     float* out) {
  const int64_t a_rows = TransposesA(shape) ? shape.inner : shape.rows;
  const int64_t a_columns = TransposesA(shape) ? shape.rows : shape.inner;
  const int64_t b_rows = TransposesB(shape) ? shape.columns : shape.inner;
  const int64_t b_columns = TransposesB(shape) ? shape.inner : shape.columns;
  const at::Tensor wide_a = Widen(a, a_rows, a_columns, shape.a_stride);
  const at::Tensor wide_b = Widen(b, b_rows, b_columns, shape.b_stride);
  RawProduct dense = shape;
  dense.a_stride = a_columns;
  dense.b_stride = b_columns;
  MultiplyRaw(dense, wide_a.const_data_ptr<float>(), wide_b.const_data_ptr<float>(), out);
}

void Multiply(Product product, const at::Tensor& a, const at::Tensor& b, const at::Tensor& out,
              bool accumulate) {
  TY_CHECK(!accumulate || out.scalar_type() == WideType(a.scalar_type()));
  const bool to_bf16 = out.scalar_type() == at::kBFloat16;
  if (!a.is_cpu() || (to_bf16 && Bf16ProductsHere() == Bf16Products::kVectors)) {
    const at::Tensor result = AtenProduct(product, a, b, out.scalar_type());
    if (accumulate) {
      out.add_(result);
    } else {
      out.copy_(result);
    }
    return;
  }
  RawProduct shape = ShapeOf(product, a, b, out);
  shape.accumulate = accumulate;
  if (out.scalar_type() == WideType(a.scalar_type())) return MultiplyOnCpu(shape, a, b, out);
  const at::Tensor wide = at::empty(out.sizes(), out.options().dtype(WideType(a.scalar_type())));
  shape.out_stride = wide.stride(0);
  MultiplyOnCpu(shape, a, b, wide);
  out.copy_(wide);
}

}  // namespace trainyard::model
