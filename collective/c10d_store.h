// Inside of collective/ only: c10d's store behind Store.

#ifndef TRAINYARD_COLLECTIVE_C10D_STORE_H_
#define TRAINYARD_COLLECTIVE_C10D_STORE_H_

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace trainyard::collective {

struct C10dStore {
  c10::intrusive_ptr<c10d::Store> store;
};

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_C10D_STORE_H_
