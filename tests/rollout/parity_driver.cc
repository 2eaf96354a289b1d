// The rollout engine for the parity tests: rollout_parity_driver MODEL_DIR < request.json.
//
// Request, each part may be absent:
//   {"greedy": {"prompts": [[ids]], "new_tokens": n},
//    "score": {"sequences": [[ids]], "temperature": T, "forbidden": [ids]},
//    "generate": [{"prompt": [ids], "n": n, "sampling": {...}}],
//    "draw": [{"logits": [...], "prompt": [ids], "answer": [ids], "draws": n, "sampling": {...}}]}
// Answer: {"tokens": [[ids]], "logprobs": [[...]], "answers": [[{"tokens", "logprobs"}]],
//          "draws": [{"tokens": [ids], "logprobs": [...], "log_kept_mass": x}]}
// in the order of the request; logprobs are of token 1 on, by sequence. The fields of a sampling
// are those of SamplingParameters, as far as they are not the default.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>

#include "base/json.h"
#include "base/status.h"
#include "rollout/engine.h"

namespace trainyard::rollout {
namespace {

BeamOptions ReadBeam(const Json& json) {
  const std::map<std::string, EarlyStopping> kinds = {{"heuristic", EarlyStopping::kHeuristic},
                                                      {"first", EarlyStopping::kFirst},
                                                      {"never", EarlyStopping::kNever}};
  return {json["width"], json["length_penalty"], kinds.at(json["early_stopping"])};
}

SamplingParameters ReadSampling(const Json& json) {
  SamplingParameters p;
  p.temperature = json.value("temperature", p.temperature);
  p.top_k = json.value("top_k", p.top_k);
  p.top_p = json.value("top_p", p.top_p);
  p.min_p = json.value("min_p", p.min_p);
  p.typical_p = json.value("typical_p", p.typical_p);
  p.max_new_tokens = json.value("max_new_tokens", 1);
  p.min_new_tokens = json.value("min_new_tokens", p.min_new_tokens);
  p.forbidden_ids = json.value("forbidden_ids", p.forbidden_ids);
  p.allowed_ids = json.value("allowed_ids", p.allowed_ids);
  p.repetition_penalty = json.value("repetition_penalty", p.repetition_penalty);
  p.presence_penalty = json.value("presence_penalty", p.presence_penalty);
  p.frequency_penalty = json.value("frequency_penalty", p.frequency_penalty);
  p.end_ids = json.value("end_ids", p.end_ids);
  for (const Json& pair : json.value("logit_bias", Json::array())) {
    p.logit_bias.push_back({pair[0], pair[1]});
  }
  if (json.contains("beam")) p.beam = ReadBeam(json["beam"]);
  return p;
}

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
  for (const Json& asked : request["generate"]) {
    GenerateRequest generate;
    generate.ticket = ticket++;
    generate.prompt_ids = asked["prompt"].get<std::vector<int32_t>>();
    generate.n = asked["n"];
    generate.sampling = ReadSampling(asked["sampling"]);
    TY_RETURN_IF_ERROR(engine.Add(std::move(generate)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> Draw(const Json& asked) {
  const std::vector<float> logits = asked["logits"].get<std::vector<float>>();
  const auto prompt = asked["prompt"].get<std::vector<int32_t>>();
  const auto answer = asked["answer"].get<std::vector<int32_t>>();
  const int count = asked["draws"];
  SamplingParameters sampling = ReadSampling(asked["sampling"]);
  sampling.max_new_tokens = std::max(sampling.max_new_tokens, sampling.min_new_tokens);
  TY_RETURN_IF_ERROR(ValidateSampling(sampling, static_cast<int>(logits.size())));
  Sampler sampler(kernels::BestFp32Kernels(), static_cast<int>(logits.size()));
  std::vector<DrawKey> draws;
  for (int i = 0; i < count; ++i) draws.push_back({1, i, 0, 0});
  std::vector<float> row = logits;
  TY_ASSIGN_OR_RETURN(const auto choices,
                      sampler.Choose(sampling, draws, {prompt, answer}, row.data()));
  Json result = {{"tokens", Json::array()}, {"logprobs", Json::array()}};
  for (const TokenChoice& choice : choices) {
    result["tokens"].push_back(choice.id);
    result["logprobs"].push_back(choice.logprob);
    result["log_kept_mass"] = choice.log_kept_mass;
  }
  return result;
}

struct Results {
  std::map<uint64_t, std::map<int32_t, Completion>> completions;  // by ticket and sample
  std::map<uint64_t, std::vector<float>> logprobs;
};

absl::StatusOr<Results> RunEngine(const Json& request, const std::string& directory) {
  TY_ASSIGN_OR_RETURN(const auto config, model::ReadConfig(directory + "/config.json"));
  TY_ASSIGN_OR_RETURN(const auto source, OpenModelDirectory(directory));
  TY_ASSIGN_OR_RETURN(const auto packed, PackModel(config.config, *source));
  TY_ASSIGN_OR_RETURN(const auto engine, Engine::Create(packed, {}));
  TY_RETURN_IF_ERROR(AddAll(request, *engine));
  Results results;
  while (!engine->idle()) {
    StepResult step = engine->Step(absl::ZeroDuration());
    for (Completion& completion : step.completions) {
      TY_RETURN_IF_ERROR(completion.error);
      results.completions[completion.ticket][completion.sample] = std::move(completion);
    }
    for (ScoreResult& score : step.scores) {
      TY_RETURN_IF_ERROR(score.status);
      results.logprobs[score.ticket] = std::move(score.logprobs);
    }
  }
  return results;
}

absl::Status Run(const std::string& directory, const std::string& text) {
  TY_ASSIGN_OR_RETURN(Json request, ParseJson(text, "request"));
  // What is absent becomes null, of which there is nothing to do.
  request["greedy"]["prompts"];
  request["score"]["sequences"];
  request["generate"];
  request["draw"];
  TY_ASSIGN_OR_RETURN(const Results results, RunEngine(request, directory));
  Json answer = {{"tokens", Json::array()}, {"logprobs", Json::array()},
                 {"answers", Json::array()}, {"draws", Json::array()}};
  const size_t greedy = request["greedy"]["prompts"].size();
  for (const auto& [ticket, samples] : results.completions) {
    if (ticket < greedy) {
      answer["tokens"].push_back(samples.at(0).token_ids);
      continue;
    }
    Json& answers = answer["answers"].emplace_back(Json::array());
    for (const auto& [sample, completion] : samples) {
      answers.push_back({{"tokens", completion.token_ids}, {"logprobs", completion.logprobs}});
    }
  }
  for (const auto& [ticket, values] : results.logprobs) answer["logprobs"].push_back(values);
  for (const Json& asked : request["draw"]) {
    TY_ASSIGN_OR_RETURN(Json drawn, Draw(asked));
    answer["draws"].push_back(std::move(drawn));
  }
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
