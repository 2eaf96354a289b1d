#include "model/row_kernels.h"

namespace trainyard::model {
namespace {
#include "model/row_kernels_bodies.inc"
}  // namespace

namespace internal {
const RowKernelTables* PlainRowKernels() { return &kTables; }
}  // namespace internal
}  // namespace trainyard::model
