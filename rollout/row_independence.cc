#include "rollout/row_independence.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::rollout {
namespace {

constexpr int kMostTokens = 37;  // two blocks and a part of a third

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<int32_t> positions;
};

Tokens TestTokens(const model::ModelConfig& config, uint64_t stream) {
  const CounterRandom random(DeriveKey(1, "row independence", stream));
  Tokens tokens;
  const int64_t count = std::min<int64_t>(kMostTokens, config.max_positions);
  for (int i = 0; i < count; ++i) {
    tokens.ids.push_back(static_cast<int32_t>(random.Below(config.vocab_size, i)));
    tokens.positions.push_back(i);
  }
  return tokens;
}

// Tests run one sequence in blocks 2, 0, 4 and another in 1, 5, 3.
class Trial {
 public:
  Trial(const PackedModel& model, const KernelChoice& kernels, kernels::ThreadPool& pool)
      : model_(model), runner_(model.config, 6, kernels, pool) {}

  // Logits of all of `tokens`, computed `chunk` at a time; each run also has `mates` of another.
  std::vector<float> Run(const Tokens& tokens, const Tokens& other, int chunk, int mates) {
    const int64_t vocabulary = model_.config.vocab_size;
    const int count = static_cast<int>(tokens.ids.size());
    std::vector<float> logits(count * vocabulary);
    for (int first = 0; first < count; first += chunk) {
      const int own = std::min(chunk, count - first);
      RunPart(tokens, other, first, own, std::min(mates, count));
      std::vector<int32_t> wanted;
      for (int i = 0; i < own; ++i) wanted.push_back(i);
      runner_.Logits(model_, wanted, logits.data() + first * vocabulary);
    }
    return logits;
  }

 private:
  void RunPart(const Tokens& tokens, const Tokens& other, int first, int own, int mates) {
    std::vector<int32_t> ids(tokens.ids.begin() + first, tokens.ids.begin() + first + own);
    std::vector<int32_t> positions(tokens.positions.begin() + first,
                                   tokens.positions.begin() + first + own);
    std::vector<int32_t> sequences(own, 0);
    ids.insert(ids.end(), other.ids.begin(), other.ids.begin() + mates);
    positions.insert(positions.end(), other.positions.begin(), other.positions.begin() + mates);
    sequences.insert(sequences.end(), mates, 1);
    const BlockTable* tables[] = {&table_, &other_table_};
    runner_.Run(model_, {ids, positions, sequences, tables});
  }

  const PackedModel& model_;
  Runner runner_;
  const BlockTable table_ = {2, 0, 4};
  const BlockTable other_table_ = {1, 5, 3};
};

}  // namespace

absl::Status CheckRowIndependence(const PackedModel& model, const KernelChoice& kernels,
                                  kernels::ThreadPool& pool) {
  const Tokens tokens = TestTokens(model.config, 0), other = TestTokens(model.config, 1);
  Trial trial(model, kernels, pool);
  const std::vector<float> whole = trial.Run(tokens, other, kMostTokens, 0);
  struct Case {
    int chunk, mates;
  };
  for (const Case& c : {Case{1, 0}, Case{1, 5}, Case{7, 29}, Case{16, 1}}) {
    const std::vector<float> part = trial.Run(tokens, other, c.chunk, c.mates);
    if (std::memcmp(whole.data(), part.data(), whole.size() * sizeof(float)) != 0) {
      return absl::InternalError(absl::StrCat(
          "self-test failed: logits of a sequence computed whole and in chunks of ", c.chunk,
          " beside ", c.mates, " other rows differ in their bits (kernels ",
          KernelsName(kernels, model.products), ", ", pool.threads(),
          " threads); samples would depend on the batch, refusing to serve"));
    }
  }
  return absl::OkStatus();
}

}  // namespace trainyard::rollout
