#include "base/checksum.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard {
namespace {

constexpr size_t kReadBytes = 1 << 20;

std::string HexOf(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest)));
}

template <typename Consume>
absl::Status ReadInPieces(const std::string& path, Consume consume) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return ErrnoStatus(errno, path);
  std::vector<char> buffer(kReadBytes);
  size_t got = 0;
  while ((got = std::fread(buffer.data(), 1, buffer.size(), file)) > 0) {
    consume(absl::string_view(buffer.data(), got));
  }
  const bool failed = std::ferror(file) != 0;
  const int error = errno;
  std::fclose(file);
  return failed ? ErrnoStatus(error, absl::StrCat("read ", path)) : absl::OkStatus();
}

}  // namespace

uint64_t Xxh3Hash64(absl::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string Xxh3Hex(const void* data, size_t size_bytes) {
  return HexOf(XXH3_128bits(data, size_bytes));
}

std::string Xxh3Hex(absl::string_view bytes) { return Xxh3Hex(bytes.data(), bytes.size()); }

std::string Sha256Hex(absl::string_view bytes) {
  Sha256 sha;
  sha.Update(bytes);
  return sha.FinishHex();
}

absl::StatusOr<std::string> FileSha256Hex(const std::string& path) {
  Sha256 sha;
  TY_RETURN_IF_ERROR(ReadInPieces(path, [&](absl::string_view piece) { sha.Update(piece); }));
  return sha.FinishHex();
}

absl::StatusOr<std::string> FileXxh3Hex(const std::string& path) {
  Xxh3 hash;
  TY_RETURN_IF_ERROR(ReadInPieces(path, [&](absl::string_view piece) { hash.Update(piece); }));
  return hash.Hex();
}

struct Xxh3::State {
  XXH3_state_t* hash = XXH3_createState();
  ~State() { XXH3_freeState(hash); }
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) { XXH3_128bits_reset(state_->hash); }
Xxh3::~Xxh3() = default;

void Xxh3::Update(absl::string_view bytes) {
  XXH3_128bits_update(state_->hash, bytes.data(), bytes.size());
}

std::string Xxh3::Hex() const { return HexOf(XXH3_128bits_digest(state_->hash)); }

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  TY_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::Update(absl::string_view bytes) {
  TY_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::FinishHex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TY_CHECK(EVP_DigestFinal_ex(state_->context, digest, &size) == 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace trainyard
