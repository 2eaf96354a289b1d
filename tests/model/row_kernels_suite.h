// What every instruction set's row kernels must do.

#ifndef TRAINYARD_TESTS_MODEL_ROW_KERNELS_SUITE_H_
#define TRAINYARD_TESTS_MODEL_ROW_KERNELS_SUITE_H_

#include "model/row_kernels.h"

namespace trainyard::model {

// Compares each kernel of a table with formulas in float64, over widths with and without a tail.
void CheckRowKernels(const internal::RowKernelTables& tables);

}  // namespace trainyard::model

#endif  // TRAINYARD_TESTS_MODEL_ROW_KERNELS_SUITE_H_
