// The group of ranks with a GPU each: c10d's NCCL back end. Compiled when TRAINYARD_CUDA is on.

#ifndef TRAINYARD_COLLECTIVE_NCCL_GROUP_H_
#define TRAINYARD_COLLECTIVE_NCCL_GROUP_H_

#include <memory>

#include "absl/status/statusor.h"
#include "collective/gloo_group.h"
#include "collective/group.h"
#include "collective/store.h"

namespace trainyard::collective {

// As MakeGlooGroup, on CUDA tensors of this process's current device. After an error the CUDA
// context is not to be used any more: report and exit.
absl::StatusOr<std::unique_ptr<Group>> MakeNcclGroup(std::unique_ptr<Store> store,
                                                     const GroupOptions& options);

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_NCCL_GROUP_H_
