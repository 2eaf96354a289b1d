#include "agent/devices.h"

#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/atomic_file.h"
#include "base/log.h"
#include "base/status.h"

namespace trainyard::agent {
namespace {

// cgroup v2 first, then v1; "max" and absent files are no limit.
int64_t CgroupMemoryLimit() {
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const absl::StatusOr<std::string> text = ReadFile(path);
    int64_t limit = 0;
    if (text.ok() && absl::SimpleAtoi(*text, &limit)) return limit;
  }
  return std::numeric_limits<int64_t>::max();
}

int64_t CgroupCpuMilli() {
  constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
  const absl::StatusOr<std::string> text = ReadFile("/sys/fs/cgroup/cpu.max");
  if (!text.ok()) return kNoLimit;
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::StripAsciiWhitespace(*text), ' ');
  int64_t quota = 0, period = 0;
  const bool limited = parts.size() == 2 && absl::SimpleAtoi(parts[0], &quota) &&
                       absl::SimpleAtoi(parts[1], &period) && period > 0;
  return limited ? quota * 1000 / period : kNoLimit;
}

// The few calls of NVML we need, declared here because its header is only in CUDA toolkits.
using NvmlDevice = void*;
struct NvmlMemory {
  unsigned long long total, free, used;
};
struct NvmlProcess {
  unsigned int pid;
  unsigned long long used_memory;
  unsigned int gpu_instance, compute_instance;
};
constexpr int kNvmlSuccess = 0;
constexpr int kNvmlInsufficientSize = 7;
constexpr unsigned int kNameBytes = 96;

class Nvml {
 public:
  // Null where the library is absent.
  static std::unique_ptr<Nvml> Load() {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return nullptr;
    return std::unique_ptr<Nvml>(new Nvml(library));
  }
  ~Nvml() {
    if (initialized_) Function<int()>("nvmlShutdown")();
    dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  absl::StatusOr<std::vector<GpuDevice>> Devices() {
    TY_RETURN_IF_ERROR(Check(Call<>("nvmlInit_v2"), "nvmlInit_v2"));
    initialized_ = true;
    unsigned int count = 0;
    TY_RETURN_IF_ERROR(Check(Call<unsigned int*>("nvmlDeviceGetCount_v2", &count), "count"));
    std::vector<GpuDevice> devices;
    for (unsigned int i = 0; i < count; ++i) {
      NvmlDevice handle = nullptr;
      TY_RETURN_IF_ERROR(Check(Call<unsigned int, NvmlDevice*>("nvmlDeviceGetHandleByIndex_v2", i,
                                                               &handle),
                               absl::StrCat("device ", i)));
      TY_ASSIGN_OR_RETURN(GpuDevice device, Describe(handle, i));
      const unsigned int foreign = ForeignProcess(handle);
      if (foreign != 0) {
        Log().warn("GPU {} ({}) is not offered: process {} computes on it", i, device.uuid,
                   foreign);
        continue;
      }
      devices.push_back(std::move(device));
    }
    return devices;
  }

 private:
  explicit Nvml(void* library) : library_(library) {}

  template <typename Signature>
  Signature* Function(const char* name) {
    return reinterpret_cast<Signature*>(dlsym(library_, name));
  }

  // -1 when the library has no such function.
  template <typename... Args>
  int Call(const char* name, Args... args) {
    auto* function = Function<int(Args...)>(name);
    return function == nullptr ? -1 : function(args...);
  }

  static absl::Status Check(int code, absl::string_view what) {
    if (code == kNvmlSuccess) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("NVML: ", what, " failed with code ", code));
  }

  absl::StatusOr<GpuDevice> Describe(NvmlDevice handle, unsigned int index) {
    char uuid[kNameBytes] = {}, name[kNameBytes] = {};
    NvmlMemory memory = {};
    const std::string what = absl::StrCat("device ", index);
    int code = Call<NvmlDevice, char*, unsigned>("nvmlDeviceGetUUID", handle, uuid, kNameBytes);
    TY_RETURN_IF_ERROR(Check(code, what));
    code = Call<NvmlDevice, char*, unsigned>("nvmlDeviceGetName", handle, name, kNameBytes);
    TY_RETURN_IF_ERROR(Check(code, what));
    code = Call<NvmlDevice, NvmlMemory*>("nvmlDeviceGetMemoryInfo", handle, &memory);
    TY_RETURN_IF_ERROR(Check(code, what));
    return GpuDevice{uuid, name, static_cast<int64_t>(memory.total)};
  }

  // A process that computes on the device, or 0. At the agent's start none can be its own task.
  unsigned int ForeignProcess(NvmlDevice handle) {
    NvmlProcess processes[1] = {};
    unsigned int count = 1;
    const int code = Call<NvmlDevice, unsigned int*, NvmlProcess*>(
        "nvmlDeviceGetComputeRunningProcesses_v3", handle, &count, processes);
    if (code != kNvmlSuccess && code != kNvmlInsufficientSize) return 0;
    return count > 0 ? std::max(processes[0].pid, 1u) : 0;
  }

  void* const library_;
  bool initialized_ = false;
};

}  // namespace

int64_t UsableCpuMilli() {
  cpu_set_t set;
  int64_t cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
  return std::min(cores * 1000, CgroupCpuMilli());
}

int64_t UsableMemoryBytes() {
  const int64_t machine = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  return std::min(machine, CgroupMemoryLimit());
}

absl::StatusOr<std::vector<GpuDevice>> OfferedGpus() {
  const std::unique_ptr<Nvml> nvml = Nvml::Load();
  if (nvml == nullptr) return std::vector<GpuDevice>();
  return nvml->Devices();
}

}  // namespace trainyard::agent
