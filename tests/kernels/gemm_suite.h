// What the products of every table must be, whatever the type of the weights.

#ifndef TRAINYARD_TESTS_KERNELS_GEMM_SUITE_H_
#define TRAINYARD_TESTS_KERNELS_GEMM_SUITE_H_

#include <vector>

#include "kernels/packed_matrix.h"

namespace trainyard::kernels {

struct Product {
  int rows, inner, columns;
};

// Each product equals a plain loop in double over the numbers as `weights` rounds them.
void ExpectProducts(ProductKernels& kernels, WeightType weights,
                    const std::vector<Product>& products);

// A row has the same bits with any rows beside it.
void ExpectRowsDoNotDependOnTheOthers(ProductKernels& kernels, WeightType weights);

}  // namespace trainyard::kernels

#endif  // TRAINYARD_TESTS_KERNELS_GEMM_SUITE_H_
