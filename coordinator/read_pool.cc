#include "coordinator/read_pool.h"

#include <utility>

namespace trainyard::coordinator {

ReadPool::ReadPool(int threads, size_t capacity) : queue_(capacity) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

ReadPool::~ReadPool() {
  queue_.Close();
  for (std::thread& thread : threads_) thread.join();
}

bool ReadPool::Post(std::function<void()> read) { return queue_.TryPush(std::move(read)); }

void ReadPool::Run() {
  while (auto read = queue_.Pop(absl::InfiniteDuration())) (*read)();
}

}  // namespace trainyard::coordinator
