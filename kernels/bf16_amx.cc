#include "kernels/bf16.h"
#include "kernels/fp32.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace trainyard::kernels {
namespace {

#include "kernels/bf16_finish.inc"

constexpr int kTileRows = 16, kTileBytes = 64;
constexpr int kTilePairs = 16;  // of a tile's k

// What LDTILECFG reads (Intel SDM, volume 1, 18.2): all tiles 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

TileConfiguration MakeConfiguration() {
  TileConfiguration configuration;
  for (int i = 0; i < 8; ++i) {
    configuration.row_bytes[i] = kTileBytes;
    configuration.rows[i] = kTileRows;
  }
  return configuration;
}

// 32 rows times a panel: tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 columns.
void TwoRowTiles(const Bf16GemmArgs& args, const uint16_t* a, const uint16_t* panel, float* sums) {
  const int64_t a_bytes = args.a_stride * 2;
  const uint16_t* const second = a + kTileRows * args.a_stride;
  constexpr int kPairBytes = 2 * kPanelColumns * 2, kSumBytes = kPanelColumns * 4;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < args.inner; k += 2 * kTilePairs) {
    const uint16_t* const pairs = panel + k * kPanelColumns;
    _tile_loadd(4, a + k, a_bytes);
    _tile_loadd(6, pairs, kPairBytes);
    _tile_loadd(7, pairs + kPanelColumns, kPairBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, second + k, a_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  float* const lower = sums + kTileRows * kPanelColumns;
  _tile_stored(0, sums, kSumBytes);
  _tile_stored(1, sums + kPanelColumns / 2, kSumBytes);
  _tile_stored(2, lower, kSumBytes);
  _tile_stored(3, lower + kPanelColumns / 2, kSumBytes);
}

void OneRowTile(const Bf16GemmArgs& args, const uint16_t* a, const uint16_t* panel, float* sums) {
  const int64_t a_bytes = args.a_stride * 2;
  constexpr int kPairBytes = 2 * kPanelColumns * 2, kSumBytes = kPanelColumns * 4;
  _tile_zero(0);
  _tile_zero(1);
  for (int k = 0; k < args.inner; k += 2 * kTilePairs) {
    const uint16_t* const pairs = panel + k * kPanelColumns;
    _tile_loadd(4, a + k, a_bytes);
    _tile_loadd(6, pairs, kPairBytes);
    _tile_loadd(7, pairs + kPanelColumns, kPairBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, sums, kSumBytes);
  _tile_stored(1, sums + kPanelColumns / 2, kSumBytes);
}

void Gemm(const Bf16GemmArgs& args) {
  alignas(64) float sums[2 * kTileRows * kPanelColumns];
  const TileConfiguration configuration = MakeConfiguration();
  _tile_loadconfig(&configuration);
  for (int column = 0; column < args.columns; column += kPanelColumns) {
    const uint16_t* const panel = args.panels + static_cast<int64_t>(column) * args.inner;
    for (int row = 0; row < args.rows; row += 2 * kTileRows) {
      const int left = args.rows - row;
      const uint16_t* const a = args.a + row * args.a_stride;
      if (left > kTileRows) {
        TwoRowTiles(args, a, panel, sums);
      } else {
        OneRowTile(args, a, panel, sums);
      }
      FinishTile(args, sums, {row, column, left < 2 * kTileRows ? left : 2 * kTileRows});
    }
  }
  _tile_release();
}

constexpr Bf16Kernels kTable = {"amx-bf16", Gemm};

// Announced by the processor, and granted by the kernel: the tiles are saved on a context switch
// only for processes that asked.
bool Granted() {
  constexpr unsigned kFeatureLeaf = 7, kTileBit = 1u << 24, kBf16Bit = 1u << 22;
  constexpr long kRequestPermission = 0x1023, kTileState = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(kFeatureLeaf, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kTileBit) == 0 || (d & kBf16Bit) == 0) return false;
  return __builtin_cpu_supports("avx512f") &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileState) == 0;
}

}  // namespace

const Bf16Kernels* AmxBf16Kernels() {
  static const bool granted = Granted();
  return granted ? &kTable : nullptr;
}
}  // namespace trainyard::kernels
#else
namespace trainyard::kernels {
const Bf16Kernels* AmxBf16Kernels() { return nullptr; }
}  // namespace trainyard::kernels
#endif
