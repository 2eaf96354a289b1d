// The border between code that throws (torch) and code that returns absl::Status.

#ifndef TRAINYARD_MODEL_CATCH_TORCH_H_
#define TRAINYARD_MODEL_CATCH_TORCH_H_

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::model {

namespace internal {
// The status of the exception in flight: ResourceExhausted when memory ran out, else Internal; the
// message is `what: ` and the first line of torch's.
absl::Status StatusOfCurrentException(absl::string_view what);

template <typename T>
struct StatusOrOf {
  using type = absl::StatusOr<T>;
};
template <typename T>
struct StatusOrOf<absl::StatusOr<T>> {
  using type = absl::StatusOr<T>;
};
template <>
struct StatusOrOf<absl::Status> {
  using type = absl::Status;
};
template <>
struct StatusOrOf<void> {
  using type = absl::Status;
};
}  // namespace internal

// Runs `body` and turns what it throws into a status that begins with `what`. A body that returns
// nothing gives a Status, one that returns T a StatusOr<T>, a Status or StatusOr stays itself.
template <typename Body>
auto CatchTorch(absl::string_view what, Body&& body) ->
    typename internal::StatusOrOf<std::invoke_result_t<Body>>::type {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
      std::forward<Body>(body)();
      return absl::OkStatus();
    } else {
      return std::forward<Body>(body)();
    }
  } catch (...) {
    return internal::StatusOfCurrentException(what);
  }
}

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_CATCH_TORCH_H_
