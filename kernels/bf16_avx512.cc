#include "kernels/bf16.h"
#include "kernels/fp32.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

namespace trainyard::kernels {
namespace {

#include "kernels/bf16_finish.inc"

// 12 x 2 accumulators, 2 weights, 1 broadcast: 27 of the 32 registers.
constexpr int kTileRows = 12, kTileVectors = 2;

template <int kRows>
void RunTile(const Bf16GemmArgs& args, const uint16_t* a, const uint16_t* panel, float* sums) {
  __m512 sum[kRows][kTileVectors];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kTileVectors; ++v) sum[r][v] = _mm512_setzero_ps();
  }
  for (int k = 0; k < args.inner; k += 2) {
    __m512bh b[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v) {
      b[v] = reinterpret_cast<__m512bh>(
          _mm512_loadu_si512(panel + k * kPanelColumns + v * kPanelColumns));
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      int pair;
      __builtin_memcpy(&pair, a + r * args.a_stride + k, sizeof(pair));
      const __m512bh broadcast = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) {
        sum[r][v] = _mm512_dpbf16_ps(sum[r][v], broadcast, b[v]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kTileVectors; ++v) {
      _mm512_storeu_ps(sums + r * kPanelColumns + v * kPanelColumns / 2, sum[r][v]);
    }
  }
}

using TileFunction = void (*)(const Bf16GemmArgs&, const uint16_t*, const uint16_t*, float*);
constexpr TileFunction kTiles[kTileRows] = {RunTile<1>, RunTile<2>,  RunTile<3>,  RunTile<4>,
                                            RunTile<5>, RunTile<6>,  RunTile<7>,  RunTile<8>,
                                            RunTile<9>, RunTile<10>, RunTile<11>, RunTile<12>};

void Gemm(const Bf16GemmArgs& args) {
  float sums[kTileRows * kPanelColumns];
  const int tiles = (args.rows + kTileRows - 1) / kTileRows;
  for (int column = 0; column < args.columns; column += kPanelColumns) {
    const uint16_t* const panel = args.panels + static_cast<int64_t>(column) * args.inner;
    for (int tile = 0; tile < tiles; ++tile) {
      const int row = tile * args.rows / tiles;
      const int rows = (tile + 1) * args.rows / tiles - row;
      kTiles[rows - 1](args, args.a + row * args.a_stride, panel, sums);
      FinishTile(args, sums, {row, column, rows});
    }
  }
}

constexpr Bf16Kernels kTable = {"avx512-bf16", Gemm};

bool Announced() {
  constexpr unsigned kFeatureLeaf = 7, kAvx512Bf16Bit = 1u << 5;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(kFeatureLeaf, 1, &a, &b, &c, &d) != 0 && (a & kAvx512Bf16Bit) != 0;
}

}  // namespace

const Bf16Kernels* Avx512Bf16Kernels() {
  // The second asks whether the kernel saves the registers.
  return Announced() && __builtin_cpu_supports("avx512f") ? &kTable : nullptr;
}
}  // namespace trainyard::kernels
#else
namespace trainyard::kernels {
const Bf16Kernels* Avx512Bf16Kernels() { return nullptr; }
}  // namespace trainyard::kernels
#endif
