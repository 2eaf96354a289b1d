// Speed of the rollout engine on one model. Driven by bench/generation_bench.py: for each line on
// standard input it generates once and prints one JSON line.

#include <chrono>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/random.h"
#include "base/status.h"
#include "rollout/engine.h"

namespace trainyard {
namespace {

struct Settings {
  std::string model;
  int prompts = 0, prompt_tokens = 0, new_tokens = 0, threads = 0;
  kernels::WeightType products = kernels::WeightType::kF32;
};

absl::StatusOr<std::unique_ptr<rollout::Engine>> MakeEngine(const Settings& settings) {
  TY_ASSIGN_OR_RETURN(const auto config, model::ReadConfig(settings.model + "/config.json"));
  TY_ASSIGN_OR_RETURN(const auto source, rollout::OpenModelDirectory(settings.model));
  TY_ASSIGN_OR_RETURN(
      const auto packed,
      rollout::PackModel(config.config, *source, {.products = settings.products}));
  rollout::EngineOptions options;
  options.threads = settings.threads;
  return rollout::Engine::Create(packed, options);
}

absl::StatusOr<Json> GenerateOnce(rollout::Engine& engine, const Settings& settings) {
  const CounterRandom random(1);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < settings.prompts; ++i) {
    rollout::GenerateRequest request;
    request.ticket = i;
    request.row = i;
    for (int t = 0; t < settings.prompt_tokens; ++t) {
      request.prompt_ids.push_back(
          static_cast<int32_t>(random.Below(engine.model().config.vocab_size, t, i)));
    }
    request.sampling.max_new_tokens = settings.new_tokens;
    TY_RETURN_IF_ERROR(engine.Add(std::move(request)));
  }
  int64_t new_tokens = 0, steps = 0;
  while (!engine.idle()) {
    const rollout::StepResult result = engine.Step(absl::ZeroDuration());
    for (const auto& completion : result.completions) TY_RETURN_IF_ERROR(completion.error);
    new_tokens += result.new_tokens;
    ++steps;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return Json{{"seconds", seconds},
              {"tokens", new_tokens},
              {"steps", steps},
              {"tokens_per_second", new_tokens / seconds},
              {"kernels", std::string(engine.kernels_name())}};
}

absl::Status Run(const Settings& settings) {
  TY_ASSIGN_OR_RETURN(const auto engine, MakeEngine(settings));
  for (std::string line; std::getline(std::cin, line);) {
    TY_ASSIGN_OR_RETURN(const Json result, GenerateOnce(*engine, settings));
    std::cout << result.dump() << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace trainyard

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "usage: bench_generation MODEL PROMPTS PROMPT_TOKENS NEW_TOKENS THREADS "
                 "fp32|bf16\n";
    return 2;
  }
  const auto products = std::string(argv[6]) == "bf16" ? trainyard::kernels::WeightType::kBf16
                                                       : trainyard::kernels::WeightType::kF32;
  const absl::Status status = trainyard::Run({argv[1], std::atoi(argv[2]), std::atoi(argv[3]),
                                              std::atoi(argv[4]), std::atoi(argv[5]), products});
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
