// Loading a model of SmolLM2-135M's shape with random weights from warm files: for training
// (model/weights.h) and for generation (rollout/packed_model.h). Each load has a process of its
// own. Prints one JSON object: seconds, and the most memory the process had over what the model
// takes.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/status.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tensor_io.h"
#include "model/config.h"
#include "model/numerics.h"
#include "model/weights.h"
#include "rollout/packed_model.h"

namespace trainyard {
namespace {

using checkpoint::DType;

constexpr int kThreads = 2;
constexpr int kRuns = 3;
constexpr double kGoalSeconds = 1.0;
constexpr double kGoalMemory = 1.1;  // times the model's bytes

model::ModelConfig SmolLm2() {
  model::ModelConfig config;
  config.family = model::Family::kLlama;
  config.vocab_size = 49152;
  config.width = 576;
  config.layers = 30;
  config.heads = 9;
  config.kv_heads = 3;
  config.head_width = 64;
  config.ffn_width = 1536;
  config.max_positions = 8192;
  config.tied_head = true;
  return config;
}

struct Shape {
  std::string name;
  std::vector<int64_t> sizes;
};

std::vector<Shape> ShapesOf(const model::ModelConfig& c) {
  std::vector<Shape> shapes = {{"model.embed_tokens.weight", {c.vocab_size, c.width}},
                               {"model.norm.weight", {c.width}}};
  const int64_t queries = c.heads * c.head_width, keys = c.kv_heads * c.head_width;
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = absl::StrCat("model.layers.", i, ".");
    shapes.push_back({layer + "input_layernorm.weight", {c.width}});
    shapes.push_back({layer + "post_attention_layernorm.weight", {c.width}});
    shapes.push_back({layer + "self_attn.q_proj.weight", {queries, c.width}});
    shapes.push_back({layer + "self_attn.k_proj.weight", {keys, c.width}});
    shapes.push_back({layer + "self_attn.v_proj.weight", {keys, c.width}});
    shapes.push_back({layer + "self_attn.o_proj.weight", {c.width, queries}});
    shapes.push_back({layer + "mlp.gate_proj.weight", {c.ffn_width, c.width}});
    shapes.push_back({layer + "mlp.up_proj.weight", {c.ffn_width, c.width}});
    shapes.push_back({layer + "mlp.down_proj.weight", {c.width, c.ffn_width}});
  }
  return shapes;
}

// All tensors are views of the same random numbers, as far as they go.
absl::Status WriteModel(const std::string& directory, DType dtype) {
  const model::ModelConfig config = SmolLm2();
  const size_t item_bytes = checkpoint::DTypeSizeBytes(dtype);
  const CounterRandom random(7);
  std::string numbers(static_cast<size_t>(config.vocab_size * config.width) * item_bytes, '\0');
  for (size_t i = 0; i + 8 <= numbers.size(); i += 8) {
    const uint64_t bits = random.Bits(i) & 0x3c7f3c7f3c7f3c7fu;  // small, whichever the type
    std::copy_n(reinterpret_cast<const char*>(&bits), 8, numbers.data() + i);
  }
  std::vector<checkpoint::TensorBytes> tensors;
  for (const Shape& shape : ShapesOf(config)) {
    size_t size_bytes = item_bytes;
    for (const int64_t size : shape.sizes) size_bytes *= static_cast<size_t>(size);
    tensors.push_back(
        {shape.name, dtype, shape.sizes, absl::string_view(numbers).substr(0, size_bytes)});
  }
  TY_RETURN_IF_ERROR(MakeDirectories(directory));
  TY_RETURN_IF_ERROR(checkpoint::WriteSafetensors(absl::StrCat(directory, "/model.safetensors"),
                                                  tensors, {{"format", "pt"}})
                         .status());
  return WriteFileAtomically(absl::StrCat(directory, "/config.json"),
                             model::ConfigJson(config, "float32").dump());
}

// Of /proc/self/status, in bytes.
int64_t MemoryBytes(absl::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(std::string(field) + ":", 0) != 0) continue;
    return std::strtoll(line.c_str() + field.size() + 1, nullptr, 10) * 1024;
  }
  return 0;
}

struct Case {
  absl::string_view purpose;  // "training", "generation"
  DType file, memory;
};

int64_t ModelBytes(const Case& wanted) {
  int64_t numbers = 0;
  for (const Shape& shape : ShapesOf(SmolLm2())) {
    int64_t count = 1;
    for (const int64_t size : shape.sizes) count *= size;
    numbers += count;
  }
  return numbers * static_cast<int64_t>(checkpoint::DTypeSizeBytes(wanted.memory));
}

absl::Status Load(const Case& wanted, const std::string& directory) {
  if (wanted.purpose == "training") {
    model::LoadOptions options;
    options.dtype = checkpoint::ToScalarType(wanted.memory);
    return model::LoadModel(directory, options).status();
  }
  TY_ASSIGN_OR_RETURN(const auto parsed, model::ReadConfig(directory + "/config.json"));
  TY_ASSIGN_OR_RETURN(const auto source, rollout::OpenModelDirectory(directory));
  rollout::PackOptions options;
  options.products =
      wanted.memory == DType::kF32 ? kernels::WeightType::kF32 : kernels::WeightType::kBf16;
  options.threads = kThreads;
  return rollout::PackModel(parsed.config, *source, options).status();
}

// In a process of its own: seconds and the most memory on `out`.
absl::Status Measure(const Case& wanted, const std::string& directory, int out) {
  model::SetComputeThreads(kThreads);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const int64_t before = MemoryBytes("VmRSS");
  const auto begin = std::chrono::steady_clock::now();
  TY_RETURN_IF_ERROR(Load(wanted, directory));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::string line = absl::StrCat(seconds, " ", MemoryBytes("VmHWM") - before);
  if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return absl::InternalError("no figures written");
  }
  return absl::OkStatus();
}

struct Figures {
  double seconds = 0;
  int64_t peak_bytes = 0;
};

absl::StatusOr<Figures> MeasureInChild(const Case& wanted, const std::string& directory) {
  int ends[2];
  if (pipe(ends) != 0) return absl::InternalError("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    const absl::Status status = Measure(wanted, directory, ends[1]);
    if (!status.ok()) std::cerr << status.ToString() << "\n";
    _exit(status.ok() ? 0 : 1);
  }
  close(ends[1]);
  char text[100] = {};
  const ssize_t size = read(ends[0], text, sizeof(text) - 1);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  Figures figures;
  long long peak_bytes = 0;
  if (size <= 0 || status != 0 ||
      std::sscanf(text, "%lf %lld", &figures.seconds, &peak_bytes) != 2) {
    return absl::InternalError("a load failed");
  }
  figures.peak_bytes = peak_bytes;
  return figures;
}

absl::StatusOr<Json> Run(const std::string& scratch) {
  Json cases = Json::array();
  double slowest = 0, largest = 0;
  for (const DType file : {DType::kF32, DType::kBF16, DType::kF16}) {
    const std::string directory = absl::StrCat(scratch, "/", checkpoint::DTypeName(file));
    TY_RETURN_IF_ERROR(WriteModel(directory, file));
    for (const absl::string_view purpose : {"training", "generation"}) {
      for (const DType memory : {DType::kF32, DType::kBF16}) {
        const Case wanted{purpose, file, memory};
        std::vector<double> seconds;
        int64_t peak_bytes = 0;
        for (int run = 0; run < kRuns; ++run) {
          TY_ASSIGN_OR_RETURN(const Figures figures, MeasureInChild(wanted, directory));
          seconds.push_back(figures.seconds);
          peak_bytes = std::max(peak_bytes, figures.peak_bytes);
        }
        std::sort(seconds.begin(), seconds.end());
        const double memory_ratio =
            static_cast<double>(peak_bytes) / static_cast<double>(ModelBytes(wanted));
        slowest = std::max(slowest, seconds[kRuns / 2]);
        largest = std::max(largest, memory_ratio);
        cases.push_back({{"for", std::string(purpose)},
                         {"file", std::string(checkpoint::DTypeName(file))},
                         {"memory", std::string(checkpoint::DTypeName(memory))},
                         {"seconds", seconds[kRuns / 2]},
                         {"peak_over_model", memory_ratio}});
      }
    }
  }
  return Json{{"bench", "loading"},          {"model", "SmolLM2-135M"},
              {"threads", kThreads},         {"cases", cases},
              {"seconds", slowest},          {"goal_seconds", kGoalSeconds},
              {"peak_over_model", largest},  {"goal_peak_over_model", kGoalMemory}};
}

}  // namespace
}  // namespace trainyard

int main() {
  char scratch[] = "/tmp/bench-loading-XXXXXX";
  if (mkdtemp(scratch) == nullptr) return 1;
  const absl::StatusOr<trainyard::Json> result = trainyard::Run(scratch);
  std::error_code error;
  std::filesystem::remove_all(scratch, error);
  if (!result.ok()) {
    std::cerr << result.status().ToString() << "\n";
    return 1;
  }
  std::cout << result->dump(2) << std::endl;
  return 0;
}
