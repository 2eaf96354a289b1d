#include "model/numerics.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <cpuid.h>
#include <torch/version.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/gemm.h"

namespace trainyard::model {
namespace {

using checkpoint::DType;

constexpr unsigned kTileLeaf = 0x1d, kFeatureLeaf = 7, kAmxTileBit = 1u << 24;

// Some virtual machines announce AMX but hide the leaf that describes its tiles. oneDNN believes
// the announcement, loads an empty tile palette, and the process dies of an illegal instruction.
bool AmxAnnouncedWithoutPalette() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(kFeatureLeaf, 0, &a, &b, &c, &d) == 0 || (d & kAmxTileBit) == 0)
    return false;
  return __get_cpuid_count(kTileLeaf, 1, &a, &b, &c, &d) == 0 || (a | b | c | d) == 0;
}

const char* Bf16Suffix() {
  switch (Bf16ProductsHere()) {
    case Bf16Products::kTiles:
      return "+AMX";
    case Bf16Products::kVectors:
      return "+BF16";
    default:
      return "";
  }
}

const char* ShortName(DType dtype) {
  switch (dtype) {
    case DType::kBF16:
      return "bf16";
    case DType::kF64:
      return "fp64";
    default:
      return "fp32";
  }
}

}  // namespace

std::string NumericsId(const std::string& device, DType compute) {
  const std::string isa =
      device == "cpu" ? absl::StrCat("/", at::get_cpu_capability(), Bf16Suffix()) : "";
  return absl::StrCat(device, isa, "/torch-", TORCH_VERSION, "/", ShortName(compute), "/",
                      at::get_num_threads(), "t");
}

absl::StatusOr<DType> ParseComputeType(const std::string& name) {
  if (name == "float32" || name == "fp32") return DType::kF32;
  if (name == "bfloat16" || name == "bf16") return DType::kBF16;
  if (name == "float64" || name == "fp64") return DType::kF64;
  return absl::InvalidArgumentError(
      absl::StrCat("compute type \"", name, "\" is none of float32, bfloat16, float64"));
}

std::string ComputeTypeName(DType dtype) {
  switch (dtype) {
    case DType::kBF16:
      return "bfloat16";
    case DType::kF64:
      return "float64";
    default:
      TY_CHECK(dtype == DType::kF32);
      return "float32";
  }
}

void SetComputeThreads(int threads) {
  TY_CHECK(threads > 0);
  if (AmxAnnouncedWithoutPalette()) setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", 0);
  at::set_num_threads(threads);
}

}  // namespace trainyard::model
