#include "model/adapter_files.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "model/adapters.h"
#include "model/catch_torch.h"
#include "model/hugging_face_names.h"

namespace trainyard::model {
namespace {

constexpr char kBase[] = "base_model.model.";

std::string LastPart(const std::string& path) { return path.substr(path.rfind('.') + 1); }

// What PEFT is told to adapt: the last part of a name where it means no module that has none.
std::vector<std::string> TargetModules(const Model& model) {
  std::set<std::string> adapted;
  for (const Adapter& adapter : AllAdapters(model.layers[0])) adapted.insert(adapter.module);
  const std::vector<std::string> modules = AdapterModules(model.config);
  std::vector<std::string> targets;
  for (const std::string& path : adapted) {
    const std::string last = LastPart(path);
    const bool means_others =
        std::any_of(modules.begin(), modules.end(), [&](const std::string& other) {
          return LastPart(other) == last && adapted.count(other) == 0;
        });
    const std::string& target = means_others ? path : last;
    if (std::count(targets.begin(), targets.end(), target) == 0) targets.push_back(target);
  }
  return targets;
}

}  // namespace

std::vector<NamedTensor> PeftTensors(const Model& model) {
  const std::string block = model.config.family == Family::kGpt2 ? "h." : "layers.";
  std::vector<NamedTensor> tensors;
  for (NamedTensor& trained : TrainedParameters(model)) {
    std::string name = std::move(trained.name);
    if (absl::StartsWith(name, "layers.")) {
      name = absl::StrCat(BasePrefix(model.config), block, name.substr(7));
    }
    tensors.push_back({kBase + name, trained.tensor});
  }
  return tensors;
}

Json PeftConfig(const Model& model, const std::string& base_model) {
  const bool scores = model.config.head == Head::kScalar;
  const Adapter first = AllAdapters(model.layers[0]).front();
  const int64_t rank = first.a_RI.size(0);
  const double alpha = first.scale * static_cast<double>(rank);
  const auto whole = static_cast<int64_t>(std::llround(alpha));
  return {{"peft_type", "LORA"},
          {"task_type", scores ? "SEQ_CLS" : "CAUSAL_LM"},
          {"base_model_name_or_path", base_model},
          {"r", rank},
          {"lora_alpha", std::abs(alpha - static_cast<double>(whole)) < 1e-9 ? Json(whole)
                                                                             : Json(alpha)},
          {"lora_dropout", 0.0},
          {"target_modules", TargetModules(model)},
          {"modules_to_save", scores ? Json{"score"} : Json()},
          {"fan_in_fan_out", model.config.family == Family::kGpt2},
          {"bias", "none"},
          {"use_rslora", false},
          {"use_dora", false},
          {"init_lora_weights", true},
          {"inference_mode", true}};
}

absl::StatusOr<std::vector<checkpoint::FileRecord>> SaveAdapter(const Model& model,
                                                                const std::string& directory,
                                                                const SaveAdapterOptions& options) {
  if (!HasAdapters(model)) {
    return absl::FailedPreconditionError(absl::StrCat(directory, ": the model has no adapters"));
  }
  std::vector<checkpoint::FileRecord> records(3);
  TY_RETURN_IF_ERROR(CatchTorch(absl::StrCat("save ", directory), [&]() -> absl::Status {
    TY_ASSIGN_OR_RETURN(records[0], checkpoint::WriteTensors(
                                        absl::StrCat(directory, "/adapter_model.safetensors"),
                                        PeftTensors(model), {{"format", "pt"}}));
    return absl::OkStatus();
  }));
  const std::string config = PeftConfig(model, options.base_model).dump(2) + "\n";
  TY_ASSIGN_OR_RETURN(records[1], checkpoint::WriteCheckpointFile(
                                      directory, "adapter_config.json", config));
  TY_ASSIGN_OR_RETURN(records[2], WriteModelCard(options.card, directory));
  return records;
}

Json AdapterRecord(const std::optional<AdapterOptions>& options, const std::string& base_digest) {
  if (!options.has_value()) return Json();
  return {{"rank", options->rank},
          {"alpha", options->alpha},
          {"targets", options->targets},
          {"base_xxh3", base_digest}};
}

absl::Status CheckAdapterRecord(const Json& sections, const Json& own, absl::string_view frozen) {
  const auto found = sections.find(kAdapterRecord);
  const Json stored = found == sections.end() ? Json() : *found;
  if (stored == own) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the checkpoint's adapters are ", stored.dump(), ", this run's ", own.dump(),
      ": rank, alpha, targets and ", frozen, " must be those it began with"));
}

}  // namespace trainyard::model
