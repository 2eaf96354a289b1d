// A libnvidia-ml.so.1 of tests: two devices, a foreign process computes on the second.

#include <cstdint>
#include <cstdio>

extern "C" {

struct Memory {
  unsigned long long total, free, used;
};
struct Process {
  unsigned int pid;
  unsigned long long used_memory;
  unsigned int gpu_instance, compute_instance;
};

constexpr int kSuccess = 0;
constexpr int kInsufficientSize = 7;

int nvmlInit_v2() { return kSuccess; }
int nvmlShutdown() { return kSuccess; }
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = 2;
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  *device = reinterpret_cast<void*>(static_cast<uintptr_t>(index) + 1);
  return kSuccess;
}
int nvmlDeviceGetUUID(void* device, char* uuid, unsigned int size) {
  std::snprintf(uuid, size, "GPU-%zu", reinterpret_cast<uintptr_t>(device));
  return kSuccess;
}
int nvmlDeviceGetName(void*, char* name, unsigned int size) {
  std::snprintf(name, size, "NVIDIA H200");
  return kSuccess;
}
int nvmlDeviceGetMemoryInfo(void*, Memory* memory) {
  *memory = {150'000'000'000ull, 0, 0};
  return kSuccess;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned int* count, Process*) {
  const bool busy = reinterpret_cast<uintptr_t>(device) == 2;
  const int answer = busy ? kInsufficientSize : kSuccess;
  *count = busy ? 3 : 0;
  return answer;
}

}  // extern "C"
