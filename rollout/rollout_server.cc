#include "rollout/rollout_server.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/host_token.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::rollout {
namespace {

// Changes when a kernel's bits do.
constexpr char kKernelBuild[] = "rollout-1";

struct TokenizerNames {
  std::string file_sha256;
  std::vector<std::string> hashes;
  std::vector<std::string> token_bytes;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
};

// Nothing where the directory holds no tokenizer: token ids alone can be served without one.
absl::StatusOr<TokenizerNames> ReadTokenizer(const std::string& directory) {
  TokenizerNames names;
  if (directory.empty()) return names;
  const auto found = tokenizer::LoadTokenizerOf(directory);
  if (absl::IsNotFound(found.status())) {
    Log().info("{} holds no tokenizer: stop strings are refused, streams have no text", directory);
    return names;
  }
  TY_RETURN_IF_ERROR(found.status());
  const tokenizer::Tokenizer& tokenizer = *found->tokenizer;
  TY_ASSIGN_OR_RETURN(names.file_sha256, FileSha256Hex(found->path));
  names.hashes = {names.file_sha256, tokenizer.hash()};
  for (int32_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
    names.token_bytes.emplace_back(tokenizer.TokenBytes(id));
  }
  names.tokenizer = found->tokenizer;
  return names;
}

// What generation_config.json or config.json say ends a text: one id or a list.
absl::StatusOr<std::vector<int32_t>> ReadEndIds(const std::string& directory,
                                                const model::ModelConfig& config) {
  std::vector<int32_t> ids;
  const auto json = ReadJsonFile(directory + "/generation_config.json");
  if (json.ok() && json->is_object() && json->contains("eos_token_id")) {
    const Json& eos = (*json)["eos_token_id"];
    for (const Json& id : eos.is_array() ? eos : Json::array({eos})) {
      if (id.is_number_integer()) ids.push_back(id.get<int32_t>());
    }
  } else if (!json.ok() && !absl::IsNotFound(json.status())) {
    return json.status();
  }
  if (!ids.empty()) return ids;
  for (const int64_t id : model::EndTokenIds(config)) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RolloutServer>> RolloutServer::Start(
    const RolloutServerOptions& options) {
  const std::string config_path = options.model_directory + "/config.json";
  TY_ASSIGN_OR_RETURN(const model::ParsedConfig parsed, model::ReadConfig(config_path));
  for (const std::string& line : parsed.ignored) Log().info("{}: {}", config_path, line);
  TY_ASSIGN_OR_RETURN(TokenizerNames tokenizer, ReadTokenizer(options.tokenizer_directory));
  TY_ASSIGN_OR_RETURN(const auto source, OpenModelDirectory(options.model_directory));
  const auto products = options.bf16 ? kernels::WeightType::kBf16 : kernels::WeightType::kF32;
  TY_ASSIGN_OR_RETURN(std::shared_ptr<PackedModel> packed,
                      PackModel(parsed.config, *source,
                                {.products = products, .threads = options.threads}));
  packed->version = options.version;

  EngineOptions engine_options;
  engine_options.threads = options.threads;
  engine_options.cache_bytes = options.cache_bytes;
  engine_options.token_bytes = std::move(tokenizer.token_bytes);
  TY_ASSIGN_OR_RETURN(auto engine, Engine::Create(packed, std::move(engine_options)));
  std::unique_ptr<RolloutServer> server(new RolloutServer());
  server->numerics_id_ =
      absl::StrCat("cpu/", engine->kernels_name(), "/", kKernelBuild, "/",
                   options.bf16 ? "bf16" : "fp32");

  RolloutIdentity identity;
  identity.tokenizer_hash = tokenizer.file_sha256;
  identity.tokenizer_hashes = std::move(tokenizer.hashes);
  identity.tokenizer = std::move(tokenizer.tokenizer);
  identity.numerics_id = server->numerics_id_;
  identity.config_json = model::ConfigJson(parsed.config, "float32").dump();
  TY_ASSIGN_OR_RETURN(identity.defaults.end_ids,
                      ReadEndIds(options.model_directory, parsed.config));

  server->loop_ = std::make_unique<EngineLoop>(std::move(engine), Clock::Real());
  // The service compares the tokenizer by all of its names; the inbox need not again.
  server->inbox_ = std::make_unique<WeightsInbox>(packed, "", Clock::Real());
  const auto host_token = HostToken();
  server->client_ = std::make_unique<WeightsClient>(WeightsClientOptions{
      options.fence, host_token.ok() ? *host_token : std::string()});
  server->service_ = std::make_unique<RolloutService>(
      RolloutService::Parts{server->loop_.get(), server->inbox_.get(), server->client_.get(),
                            &Clock::Real()},
      std::move(identity));
  rpc::ServerOptions server_options;
  server_options.listen = options.listen;
  server_options.advertise = options.advertise;
  server_options.fence = options.fence;
  TY_ASSIGN_OR_RETURN(server->server_,
                      rpc::Server::Start(server_options, {server->service_.get()}));
  return server;
}

void RolloutServer::Stop(absl::Duration patience) {
  const auto aborted = loop_->Drain(patience);
  if (aborted.ok() && *aborted > 0) Log().warn("{} samples were cut short by the stop", *aborted);
  server_->Shutdown(absl::Seconds(2));
  loop_.reset();
}

}  // namespace trainyard::rollout
