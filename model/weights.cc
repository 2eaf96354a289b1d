#include "model/weights.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/atomic_file.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "checkpoint/tensor_directory.h"
#include "model/catch_torch.h"
#include "model/hugging_face_names.h"
#include "model/ignored_tensors.h"
#include "model/numerics.h"

namespace trainyard::model {
namespace {

using checkpoint::FileRecord;
using checkpoint::TensorDirectory;

constexpr char kConfigFile[] = "config.json";
constexpr char kCardFile[] = "trainyard.json";
constexpr char kGenerationFile[] = "generation_config.json";
constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";

bool IsFloating(checkpoint::DType dtype) {
  return at::isFloatingType(checkpoint::ToScalarType(dtype));
}

// Every complaint about the tensors of a directory, so that the reader sees them all at once.
std::vector<std::string> FindProblems(const std::vector<NamedTensor>& wanted,
                                      const TensorDirectory& files, const ModelConfig& config) {
  std::vector<std::string> problems;
  std::set<std::string> names;
  for (const NamedTensor& stored : wanted) {
    names.insert(stored.name);
    const auto it = files.tensors.find(stored.name);
    if (it == files.tensors.end()) {
      problems.push_back(absl::StrCat("\"", stored.name, "\" is missing"));
    } else if (stored.tensor.sizes() != at::IntArrayRef(it->second.entry->shape)) {
      problems.push_back(absl::StrCat(
          "\"", stored.name, "\" has shape [", absl::StrJoin(it->second.entry->shape, ","),
          "], config.json asks for [", absl::StrJoin(stored.tensor.sizes(), ","), "]"));
    } else if (!IsFloating(it->second.entry->dtype)) {
      problems.push_back(absl::StrCat("\"", stored.name, "\" has type ",
                                      checkpoint::DTypeName(it->second.entry->dtype)));
    }
  }
  for (const auto& [name, where] : files.tensors) {
    if (names.count(name) == 0 && !MayBeIgnored(config, name)) {
      problems.push_back(absl::StrCat("\"", name, "\" belongs to no part of this model"));
    }
  }
  return problems;
}

// The widest type of the tensors that are read; half precision is computed in fp32.
at::ScalarType TypeOf(const TensorDirectory& files, const std::vector<NamedTensor>& wanted) {
  at::ScalarType widest = checkpoint::ToScalarType(files.tensors.at(wanted[0].name).entry->dtype);
  for (const NamedTensor& stored : wanted) {
    const auto& entry = *files.tensors.at(stored.name).entry;
    widest = at::promote_types(widest, checkpoint::ToScalarType(entry.dtype));
  }
  return widest == at::kHalf ? at::kFloat : widest;
}

void Allocate(Model* model, at::Device device, at::ScalarType dtype) {
  for (const ParameterSlot& slot : ParameterSlots(*model)) {
    *slot.tensor = at::empty(slot.shape, at::TensorOptions().device(device).dtype(dtype));
  }
}

// A base model saved alone lacks the prefix of its names ("h.0..." for "transformer.h.0...").
void AddBasePrefix(const ModelConfig& config, TensorDirectory* files) {
  const std::string prefix = BasePrefix(config);
  for (const auto& [name, where] : files->tensors) {
    if (absl::StartsWith(name, prefix)) return;
  }
  decltype(files->tensors) prefixed;
  for (const auto& [name, where] : files->tensors) prefixed[prefix + name] = where;
  files->tensors = std::move(prefixed);
}

Json CardJson(const ModelCard& card) {
  Json json = {{"format_version", 1},
               {"tokenizer_sha256", card.tokenizer_sha256},
               {"training_manifest_sha256", card.training_manifest_sha256}};
  if (card.normalisation.has_value()) {
    json["normalisation"] = {{"mean", card.normalisation->mean},
                             {"deviation", card.normalisation->deviation},
                             {"samples", card.normalisation->samples}};
  }
  return json;
}

// 17 digits bring every double back.
std::map<std::string, std::string> CardMetadata(const ModelCard& card) {
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (!card.tokenizer_sha256.empty()) metadata["tokenizer_sha256"] = card.tokenizer_sha256;
  if (!card.training_manifest_sha256.empty()) {
    metadata["training_manifest_sha256"] = card.training_manifest_sha256;
  }
  if (card.normalisation.has_value()) {
    metadata["normalisation_mean"] = absl::StrFormat("%.17g", card.normalisation->mean);
    metadata["normalisation_deviation"] = absl::StrFormat("%.17g", card.normalisation->deviation);
  }
  return metadata;
}

Json GenerationJson(const ModelConfig& config) {
  Json json = {{"_from_model_config", true}};
  if (config.bos_token_id >= 0) json["bos_token_id"] = config.bos_token_id;
  const std::vector<int64_t> ends = EndTokenIds(config);
  if (!ends.empty()) json["eos_token_id"] = ends.size() > 1 ? Json(ends) : Json(ends[0]);
  if (config.pad_token_id >= 0) json["pad_token_id"] = config.pad_token_id;
  return json;
}

using Shards = std::vector<std::vector<NamedTensor>>;

Shards CutIntoShards(const std::vector<NamedTensor>& tensors, uint64_t max_shard_bytes) {
  Shards shards(1);
  uint64_t size_bytes = 0;
  for (const NamedTensor& named : tensors) {
    if (!shards.back().empty() && size_bytes + named.tensor.nbytes() > max_shard_bytes) {
      shards.emplace_back();
      size_bytes = 0;
    }
    shards.back().push_back(named);
    size_bytes += named.tensor.nbytes();
  }
  return shards;
}

absl::Status WriteJson(const std::string& directory, const std::string& name, const Json& json,
                       std::vector<FileRecord>* records) {
  TY_ASSIGN_OR_RETURN(FileRecord record,
                      checkpoint::WriteCheckpointFile(directory, name, json.dump(2) + "\n"));
  records->push_back(std::move(record));
  return absl::OkStatus();
}

absl::Status WriteShards(const std::string& directory, const Shards& shards, const ModelCard& card,
                         std::vector<FileRecord>* records) {
  Json weight_map = Json::object();
  uint64_t total_bytes = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shards.size() == 1 ? kSingleFile
                                                : absl::StrFormat("model-%05d-of-%05d.safetensors",
                                                                  i + 1, shards.size());
    TY_ASSIGN_OR_RETURN(FileRecord record,
                        checkpoint::WriteTensors(absl::StrCat(directory, "/", name), shards[i],
                                                 CardMetadata(card)));
    records->push_back(std::move(record));
    for (const NamedTensor& named : shards[i]) {
      weight_map[named.name] = name;
      total_bytes += named.tensor.nbytes();
    }
  }
  if (shards.size() == 1) return absl::OkStatus();
  const Json index = {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", weight_map}};
  return WriteJson(directory, kIndexFile, index, records);
}

absl::Status RefuseAdapterAlone(const std::string& directory) {
  std::error_code error;
  const auto has = [&](const char* name) {
    return std::filesystem::exists(absl::StrCat(directory, "/", name), error);
  };
  if (!has("adapter_config.json") || has(kConfigFile)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      directory, " holds an adapter (adapter_config.json), not a model: name the merged model, the "
      "job's other output, or merge it into its base with peft first"));
}

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(const std::string& directory, const LoadOptions& options) {
  TY_RETURN_IF_ERROR(RefuseAdapterAlone(directory));
  TY_ASSIGN_OR_RETURN(ParsedConfig parsed, ReadConfig(absl::StrCat(directory, "/", kConfigFile)));
  if (options.head.has_value() && *options.head != parsed.config.head) {
    return absl::InvalidArgumentError(absl::StrCat(directory,
                                                   parsed.config.head == Head::kLm
                                                       ? " is a language model, a reward model"
                                                       : " is a reward model, a language model",
                                                   " is wanted"));
  }
  LoadedModel loaded;
  loaded.ignored = std::move(parsed.ignored);
  TY_ASSIGN_OR_RETURN(loaded.card, ReadModelCard(directory));
  TY_ASSIGN_OR_RETURN(TensorDirectory files, checkpoint::OpenTensorDirectory(directory));
  AddBasePrefix(parsed.config, &files);
  TY_RETURN_IF_ERROR(CatchTorch(absl::StrCat("load ", directory), [&]() -> absl::Status {
    const at::NoGradGuard no_grad;
    Model& model = loaded.model;
    model.config = parsed.config;
    Allocate(&model, at::kMeta, at::kFloat);
    const std::vector<NamedTensor> shapes = HuggingFaceViews(model);
    const std::vector<std::string> problems = FindProblems(shapes, files, parsed.config);
    if (!problems.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(directory, ": tensor ", absl::StrJoin(problems, "; tensor ")));
    }
    Allocate(&model, options.device, options.dtype.value_or(TypeOf(files, shapes)));
    std::vector<checkpoint::TensorCopy> copies;
    for (const NamedTensor& stored : HuggingFaceViews(model)) {
      const auto& [file, entry] = files.tensors.at(stored.name);
      copies.push_back({file, entry, stored.tensor});
    }
    checkpoint::CopyTensors(copies);
    return absl::OkStatus();
  }));
  return loaded;
}

absl::StatusOr<ModelCard> ReadModelCard(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kCardFile);
  const auto json = ReadJsonFile(path);
  if (absl::IsNotFound(json.status())) return ModelCard();
  if (!json.ok()) return json.status();
  const JsonReader reader(*json, path);
  TY_RETURN_IF_ERROR(reader.OnlyFields(
      {"format_version", "tokenizer_sha256", "training_manifest_sha256", "normalisation"}));
  ModelCard card;
  TY_ASSIGN_OR_RETURN(card.tokenizer_sha256, reader.String("tokenizer_sha256", ""));
  TY_ASSIGN_OR_RETURN(card.training_manifest_sha256, reader.String("training_manifest_sha256", ""));
  if (!reader.Has("normalisation")) return card;
  TY_ASSIGN_OR_RETURN(const Json* normalisation, reader.Object("normalisation"));
  const JsonReader inner(*normalisation, absl::StrCat(path, ": normalisation"));
  ModelCard::Normalisation values;
  TY_ASSIGN_OR_RETURN(values.mean, inner.Double("mean"));
  TY_ASSIGN_OR_RETURN(values.deviation, inner.Double("deviation"));
  TY_ASSIGN_OR_RETURN(values.samples, inner.Int("samples", 0));
  if (!(values.deviation > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": normalisation.deviation is ", values.deviation, ", must be > 0"));
  }
  card.normalisation = values;
  return card;
}

absl::StatusOr<FileRecord> WriteModelCard(const ModelCard& card, const std::string& directory) {
  return checkpoint::WriteCheckpointFile(directory, kCardFile, CardJson(card).dump(2) + "\n");
}

absl::StatusOr<std::vector<FileRecord>> SaveModel(const Model& model, const std::string& directory,
                                                  const SaveOptions& options) {
  const auto type = checkpoint::FromScalarType(model.token_embedding_VD.scalar_type());
  if (!type.ok()) return type.status();
  std::vector<FileRecord> records;
  TY_RETURN_IF_ERROR(CatchTorch(absl::StrCat("save ", directory), [&] {
    return WriteShards(directory, CutIntoShards(HuggingFaceTensors(model), options.max_shard_bytes),
                       options.card, &records);
  }));
  TY_RETURN_IF_ERROR(WriteJson(directory, kConfigFile,
                               ConfigJson(model.config, ComputeTypeName(*type)), &records));
  TY_ASSIGN_OR_RETURN(records.emplace_back(), WriteModelCard(options.card, directory));
  if (model.config.head == Head::kLm) {
    TY_RETURN_IF_ERROR(
        WriteJson(directory, kGenerationFile, GenerationJson(model.config), &records));
  }
  return records;
}

std::vector<NamedTensor> HuggingFaceTensors(const Model& model) { return HuggingFaceViews(model); }

}  // namespace trainyard::model
