#include "data/token_shards.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/status.h"

namespace trainyard::data {
namespace {

constexpr char kFormatName[] = "trainyard-token-shards-1";
constexpr char kManifestName[] = "manifest.json";

// A file in memory, read-only. Empty files have no map.
class MappedFile {
 public:
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
    struct stat status = {};
    if (fstat(fd, &status) != 0) {
      const absl::Status error = ErrnoStatus(errno, absl::StrCat("stat ", path));
      close(fd);
      return error;
    }
    const size_t size = static_cast<size_t>(status.st_size);
    void* map = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    const int error = errno;
    close(fd);
    if (map == MAP_FAILED) return ErrnoStatus(error, absl::StrCat("map ", path));
    return std::unique_ptr<MappedFile>(new MappedFile(map, size));
  }
  ~MappedFile() {
    if (map_ != nullptr) munmap(map_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::string_view bytes() const {
    return absl::string_view(static_cast<const char*>(map_), size_);
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(map_);
  }

 private:
  MappedFile(void* map, size_t size) : map_(map), size_(size) {}
  void* const map_;
  const size_t size_;
};

template <typename T>
absl::string_view BytesOf(const std::vector<T>& values) {
  return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// Collects documents and writes a shard whenever enough tokens have come together.
class ShardWriter {
 public:
  ShardWriter(const TokenShardsOptions& options, bool wide)
      : options_(options), wide_(wide), offsets_{0} {}

  absl::Status Add(absl::Span<const int32_t> ids) {
    if (wide_) {
      wide_tokens_.insert(wide_tokens_.end(), ids.begin(), ids.end());
    } else {
      narrow_tokens_.insert(narrow_tokens_.end(), ids.begin(), ids.end());
    }
    offsets_.push_back(offsets_.back() + ids.size());
    counts_.documents += 1;
    counts_.tokens += static_cast<int64_t>(ids.size());
    if (offsets_.back() < static_cast<uint64_t>(options_.shard_tokens)) return absl::OkStatus();
    return Flush();
  }

  absl::Status Finish(const std::string& tokenizer_hash) {
    if (offsets_.size() > 1) TY_RETURN_IF_ERROR(Flush());
    const Json manifest = {{"format", kFormatName},
                           {"tokenizer_hash", tokenizer_hash},
                           {"bytes_per_token", wide_ ? 4 : 2},
                           {"documents", counts_.documents},
                           {"tokens", counts_.tokens},
                           {"shards", shards_}};
    return WriteFileAtomically(absl::StrCat(options_.directory, "/", kManifestName),
                               manifest.dump(2) + "\n");
  }

  const TokenShardsCounts& counts() const { return counts_; }

 private:
  absl::Status Flush() {
    const std::string name = absl::StrFormat("shard-%05d", shards_.size());
    const absl::string_view tokens = wide_ ? BytesOf(wide_tokens_) : BytesOf(narrow_tokens_);
    const absl::string_view offsets = BytesOf(offsets_);
    const std::string base = absl::StrCat(options_.directory, "/", name);
    TY_RETURN_IF_ERROR(WriteFileAtomically(base + ".tokens", tokens));
    TY_RETURN_IF_ERROR(WriteFileAtomically(base + ".offsets", offsets));
    shards_.push_back({{"name", name},
                       {"documents", offsets_.size() - 1},
                       {"tokens", offsets_.back()},
                       {"tokens_xxh3", Xxh3Hex(tokens)},
                       {"offsets_xxh3", Xxh3Hex(offsets)}});
    wide_tokens_.clear();
    narrow_tokens_.clear();
    offsets_.assign(1, 0);
    return absl::OkStatus();
  }

  const TokenShardsOptions& options_;
  const bool wide_;
  std::vector<uint32_t> wide_tokens_;
  std::vector<uint16_t> narrow_tokens_;
  std::vector<uint64_t> offsets_;
  Json shards_ = Json::array();
  TokenShardsCounts counts_;
};

struct Shard {
  std::unique_ptr<MappedFile> tokens, offsets;
  int64_t documents = 0;
};

absl::Status CheckFile(const MappedFile& file, const std::string& path, size_t size_bytes,
                       const std::string& xxh3, TokenShards::Verify verify) {
  if (file.bytes().size() != size_bytes) {
    return absl::DataLossError(absl::StrCat(path, " has ", file.bytes().size(),
                                            " bytes, the manifest says ", size_bytes,
                                            ": tokenize again"));
  }
  if (verify == TokenShards::Verify::kChecksums && Xxh3Hex(file.bytes()) != xxh3) {
    return absl::DataLossError(
        absl::StrCat(path, " does not have the checksum of its manifest: tokenize again"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Shard> OpenShard(const std::string& directory, const Json& entry,
                                int64_t bytes_per_token, TokenShards::Verify verify) {
  JsonReader reader(entry, absl::StrCat(directory, "/", kManifestName, ": shards"));
  TY_ASSIGN_OR_RETURN(const std::string name, reader.String("name"));
  TY_ASSIGN_OR_RETURN(const int64_t documents, reader.Int("documents"));
  TY_ASSIGN_OR_RETURN(const int64_t tokens, reader.Int("tokens"));
  TY_ASSIGN_OR_RETURN(const std::string tokens_xxh3, reader.String("tokens_xxh3"));
  TY_ASSIGN_OR_RETURN(const std::string offsets_xxh3, reader.String("offsets_xxh3"));
  const std::string base = absl::StrCat(directory, "/", name);
  Shard shard;
  shard.documents = documents;
  TY_ASSIGN_OR_RETURN(shard.tokens, MappedFile::Open(base + ".tokens"));
  TY_RETURN_IF_ERROR(
      CheckFile(*shard.tokens, base + ".tokens", tokens * bytes_per_token, tokens_xxh3, verify));
  TY_ASSIGN_OR_RETURN(shard.offsets, MappedFile::Open(base + ".offsets"));
  TY_RETURN_IF_ERROR(CheckFile(*shard.offsets, base + ".offsets",
                               (documents + 1) * sizeof(uint64_t), offsets_xxh3, verify));
  const uint64_t* offsets = shard.offsets->as<uint64_t>();
  if (!std::is_sorted(offsets, offsets + documents + 1) || offsets[0] != 0 ||
      offsets[documents] != static_cast<uint64_t>(tokens)) {
    return absl::DataLossError(
        absl::StrCat(base, ".offsets does not fit its tokens: tokenize again"));
  }
  return shard;
}

}  // namespace

absl::StatusOr<TokenShardsCounts> WriteTokenShards(const std::vector<SourceSpec>& sources,
                                                   const tokenizer::Tokenizer& tokenizer,
                                                   const TokenShardsOptions& options) {
  if (options.shard_tokens < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("shard_tokens is ", options.shard_tokens, ", must be at least 1"));
  }
  TY_RETURN_IF_ERROR(MakeDirectories(options.directory));
  const std::string manifest = absl::StrCat(options.directory, "/", kManifestName);
  if (std::filesystem::exists(manifest)) {
    return absl::AlreadyExistsError(
        absl::StrCat(manifest, " exists: shards are never overwritten, choose another directory"));
  }
  const bool wide = tokenizer.vocabulary_size() > std::numeric_limits<uint16_t>::max() + 1;
  ShardWriter writer(options, wide);
  tokenizer::BatchEncoder encoder(tokenizer, options.threads);
  int64_t bad_rows = 0;
  for (const SourceSpec& source : sources) {
    TY_ASSIGN_OR_RETURN(const SourceCounts counts,
                        ReadDocuments(source, &encoder, [&](absl::Span<const int32_t> ids) {
                          return writer.Add(ids);
                        }));
    bad_rows += counts.bad_rows;
  }
  TY_RETURN_IF_ERROR(writer.Finish(tokenizer.hash()));
  TokenShardsCounts counts = writer.counts();
  counts.bad_rows = bad_rows;
  return counts;
}

struct TokenShards::State {
  std::vector<Shard> shards;
  std::vector<int64_t> first_document{0};  // by shard, and the count of all
  int64_t tokens = 0;
  bool wide = false;
  std::string fingerprint;

  std::pair<const Shard*, int64_t> Locate(int64_t document) const {
    const auto next = std::upper_bound(first_document.begin(), first_document.end(), document);
    const size_t shard = next - first_document.begin() - 1;
    return {&shards[shard], document - first_document[shard]};
  }
};

TokenShards::TokenShards(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenShards::~TokenShards() = default;

absl::StatusOr<std::unique_ptr<TokenShards>> TokenShards::Open(const std::string& directory,
                                                               const std::string& tokenizer_hash,
                                                               Verify verify) {
  const std::string path = absl::StrCat(directory, "/", kManifestName);
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  TY_ASSIGN_OR_RETURN(const Json manifest, ParseJson(text, path));
  JsonReader reader(manifest, path);
  TY_ASSIGN_OR_RETURN(const std::string format, reader.String("format"));
  if (format != kFormatName) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has format \"", format, "\", wanted \"", kFormatName, "\""));
  }
  TY_ASSIGN_OR_RETURN(const std::string made_by, reader.String("tokenizer_hash"));
  if (made_by != tokenizer_hash) {
    return absl::FailedPreconditionError(absl::StrCat(directory, " was made by tokenizer ", made_by,
                                                      ", this job's is ", tokenizer_hash,
                                                      ": tokenize again with this one"));
  }
  TY_ASSIGN_OR_RETURN(const int64_t bytes_per_token, reader.Int("bytes_per_token"));
  TY_ASSIGN_OR_RETURN(const Json* entries, reader.Array("shards"));
  auto state = std::make_unique<State>();
  state->wide = bytes_per_token == 4;
  state->fingerprint = Xxh3Hex(text);
  for (const Json& entry : *entries) {
    TY_ASSIGN_OR_RETURN(Shard shard, OpenShard(directory, entry, state->wide ? 4 : 2, verify));
    state->first_document.push_back(state->first_document.back() + shard.documents);
    state->tokens += static_cast<int64_t>(shard.offsets->as<uint64_t>()[shard.documents]);
    state->shards.push_back(std::move(shard));
  }
  return std::unique_ptr<TokenShards>(new TokenShards(std::move(state)));
}

int64_t TokenShards::document_count() const { return state_->first_document.back(); }
int64_t TokenShards::token_count() const { return state_->tokens; }
const std::string& TokenShards::fingerprint() const { return state_->fingerprint; }

int64_t TokenShards::DocumentTokens(int64_t document) const {
  const auto [shard, index] = state_->Locate(document);
  const uint64_t* offsets = shard->offsets->as<uint64_t>();
  return static_cast<int64_t>(offsets[index + 1] - offsets[index]);
}

void TokenShards::Append(int64_t document, int64_t begin, int64_t end,
                         std::vector<int32_t>* ids) const {
  const auto [shard, index] = state_->Locate(document);
  const int64_t first = static_cast<int64_t>(shard->offsets->as<uint64_t>()[index]);
  if (state_->wide) {
    const uint32_t* tokens = shard->tokens->as<uint32_t>() + first;
    ids->insert(ids->end(), tokens + begin, tokens + end);
  } else {
    const uint16_t* tokens = shard->tokens->as<uint16_t>() + first;
    ids->insert(ids->end(), tokens + begin, tokens + end);
  }
}

}  // namespace trainyard::data
