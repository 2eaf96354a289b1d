// The rollout engine for rollout_parity_test.py: rollout_parity_driver MODEL_DIR < request.json.
//
// Request: {"greedy": {"prompts": [[ids]], "new_tokens": n},
//           "score": {"sequences": [[ids]], "temperature": T, "forbidden": [ids]}}
// Answer: {"tokens": [[ids]], "logprobs": [[...]]}: logprobs of token 1 on, by sequence.

#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>

#include "base/json.h"
#include "base/status.h"
#include "rollout/engine.h"

namespace trainyard::rollout {
namespace {

absl::Status AddAll(const Json& request, Engine& engine) {
  uint64_t ticket = 0;
  for (const Json& prompt : request["greedy"]["prompts"]) {
    GenerateRequest generate;
    generate.ticket = ticket++;
    generate.prompt_ids = prompt.get<std::vector<int32_t>>();
    generate.sampling.temperature = 0;
    generate.sampling.max_new_tokens = request["greedy"]["new_tokens"];
    TY_RETURN_IF_ERROR(engine.Add(std::move(generate)));
  }
  for (const Json& sequence : request["score"]["sequences"]) {
    ScoreRequest score;
    score.ticket = ticket++;
    score.token_ids = sequence.get<std::vector<int32_t>>();
    score.sampling.temperature = request["score"]["temperature"];
    score.sampling.forbidden_ids = request["score"]["forbidden"].get<std::vector<int32_t>>();
    TY_RETURN_IF_ERROR(engine.Add(std::move(score)));
  }
  return absl::OkStatus();
}

absl::Status Run(const std::string& directory, const std::string& text) {
  TY_ASSIGN_OR_RETURN(const Json request, ParseJson(text, "request"));
  TY_ASSIGN_OR_RETURN(const auto config, model::ReadConfig(directory + "/config.json"));
  TY_ASSIGN_OR_RETURN(const auto source, OpenModelDirectory(directory));
  TY_ASSIGN_OR_RETURN(const auto packed, PackModel(config.config, *source));
  TY_ASSIGN_OR_RETURN(const auto engine, Engine::Create(packed, {}));
  TY_RETURN_IF_ERROR(AddAll(request, *engine));
  std::map<uint64_t, std::vector<int32_t>> tokens;
  std::map<uint64_t, std::vector<float>> logprobs;
  while (!engine->idle()) {
    StepResult result = engine->Step(absl::ZeroDuration());
    for (Completion& completion : result.completions) {
      TY_RETURN_IF_ERROR(completion.error);
      tokens[completion.ticket] = std::move(completion.token_ids);
    }
    for (ScoreResult& score : result.scores) {
      TY_RETURN_IF_ERROR(score.status);
      logprobs[score.ticket] = std::move(score.logprobs);
    }
  }
  Json answer = {{"tokens", Json::array()}, {"logprobs", Json::array()}};
  for (const auto& [ticket, ids] : tokens) answer["tokens"].push_back(ids);
  for (const auto& [ticket, values] : logprobs) answer["logprobs"].push_back(values);
  std::cout << answer.dump() << std::endl;
  return absl::OkStatus();
}

}  // namespace
}  // namespace trainyard::rollout

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  const absl::Status status = trainyard::rollout::Run(argv[1], text);
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
