// The name of the arithmetic: inside one numerics id the same inputs give the same bits. No torch.

#ifndef TRAINYARD_MODEL_NUMERICS_H_
#define TRAINYARD_MODEL_NUMERICS_H_

#include <string>

#include "absl/status/statusor.h"
#include "checkpoint/safetensors.h"

namespace trainyard::model {

// "cpu/AVX512+AMX/torch-2.11.0/bf16/2t": device kind, ISA level, torch version, compute type and
// threads of this process now. `device` is "cpu" or "cuda" (then the GPU's name stands for the
// ISA).
std::string NumericsId(const std::string& device, checkpoint::DType compute);

// "float32" and "fp32" are F32, "bfloat16" and "bf16" BF16, "float64" F64; else InvalidArgument.
absl::StatusOr<checkpoint::DType> ParseComputeType(const std::string& name);

// "float32", "bfloat16", "float64", as in a config.json.
std::string ComputeTypeName(checkpoint::DType dtype);

// Sets the threads of torch's operators in this process, and keeps its libraries off instructions
// that the machine announces but does not have. Call once in main, before any operator.
void SetComputeThreads(int threads);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_NUMERICS_H_
