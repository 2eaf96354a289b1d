// One piece of work at a time on a thread of its own, with a result that is fetched.

#ifndef TRAINYARD_WORKER_BACKGROUND_H_
#define TRAINYARD_WORKER_BACKGROUND_H_

#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bounded_queue.h"
#include "base/status.h"

namespace trainyard::worker {

// Owned by the thread that starts work and fetches results. The destructor waits for work that
// runs.
template <typename Result>
class Background {
 public:
  using Work = std::function<absl::StatusOr<Result>()>;

  Background() : thread_([this] { Run(); }) {}
  ~Background() {
    work_.Close();
    thread_.join();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Starts `work`; the result of the work before must have been fetched.
  void Start(Work work) {
    TY_CHECK(!busy_);
    busy_ = true;
    TY_CHECK(work_.TryPush(std::move(work)));
  }

  // Whether there is work whose result was not fetched.
  bool busy() const { return busy_; }

  // The result, once it is there; nothing when `timeout` ran out or there is no work.
  std::optional<absl::StatusOr<Result>> Fetch(absl::Duration timeout) {
    if (!busy_) return std::nullopt;
    std::optional<absl::StatusOr<Result>> result = results_.Pop(timeout);
    if (result.has_value()) busy_ = false;
    return result;
  }

 private:
  void Run() {
    while (true) {
      std::optional<Work> work = work_.Pop(absl::InfiniteDuration());
      if (!work.has_value()) return;
      TY_CHECK(results_.TryPush((*work)()));
    }
  }

  bool busy_ = false;
  BoundedQueue<Work> work_{1};
  BoundedQueue<absl::StatusOr<Result>> results_{1};
  std::thread thread_;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_BACKGROUND_H_
