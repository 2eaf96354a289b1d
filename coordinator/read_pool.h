// Threads for reads that touch a disk, so that gRPC's own never do.

#ifndef TRAINYARD_COORDINATOR_READ_POOL_H_
#define TRAINYARD_COORDINATOR_READ_POOL_H_

#include <functional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"

namespace trainyard::coordinator {

// Thread-safe. The destructor runs what is queued, then ends the threads.
class ReadPool {
 public:
  ReadPool(int threads, size_t capacity);
  ~ReadPool();
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;

  // False when the queue is full or closed; `read` is then dropped.
  bool Post(std::function<void()> read);

 private:
  void Run();

  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_READ_POOL_H_
