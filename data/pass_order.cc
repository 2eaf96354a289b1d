#include "data/pass_order.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace trainyard::data {
namespace {

// Draws of one source in the order of endless, reshuffled passes over it.
class SourceDraws {
 public:
  SourceDraws(uint64_t key, int64_t count) : key_(key), count_(count) {}

  int64_t At(int64_t draw) {
    const int64_t pass = draw / count_;
    if (pass != pass_) {
      permutation_ = Permutation(DeriveKey(key_, "pass", pass), count_);
      pass_ = pass;
    }
    return static_cast<int64_t>(permutation_[draw % count_]);
  }

 private:
  const uint64_t key_;
  const int64_t count_;
  int64_t pass_ = -1;
  std::vector<uint64_t> permutation_;
};

// Samples that each source gives to a pass; -1: as many as its token budget holds.
std::vector<int64_t> CountsOfPass(const Dataset& dataset) {
  const std::vector<SourceSpec>& specs = dataset.spec().sources;
  std::vector<int64_t> counts(specs.size());
  std::vector<double> weights(specs.size(), 0);
  const bool weighted = std::any_of(specs.begin(), specs.end(),
                                    [](const SourceSpec& spec) { return spec.share.weight > 0; });
  int64_t weighted_total = 0;
  for (size_t i = 0; i < specs.size(); ++i) {
    const SourceShare& share = specs[i].share;
    const int64_t samples = dataset.source(i).count();
    if (share.token_budget > 0) {
      counts[i] = -1;
    } else if (share.passes > 0) {
      counts[i] = std::llround(share.passes * static_cast<double>(samples));
    } else if (weighted) {
      weights[i] = share.weight > 0 ? share.weight : 1;
      weighted_total += samples;
    } else {
      counts[i] = samples;
    }
  }
  const std::vector<int64_t> apportioned = ApportionByWeight(weights, weighted_total);
  for (size_t i = 0; i < specs.size(); ++i) {
    if (weights[i] > 0) counts[i] = apportioned[i];
  }
  return counts;
}

void DrawBudget(const Dataset& dataset, int32_t source, uint64_t key,
                std::vector<SampleRef>* order) {
  const SourceSamples& samples = dataset.source(source);
  const int64_t end_tokens = dataset.document_end_id() >= 0 ? 1 : 0;
  SourceDraws draws(key, samples.count());
  int64_t tokens = 0;
  for (int64_t draw = 0; tokens < dataset.spec().sources[source].share.token_budget; ++draw) {
    const int64_t sample = draws.At(draw);
    tokens += samples.Tokens(sample) + end_tokens;
    order->push_back({source, sample});
  }
}

template <typename T>
void Shuffle(uint64_t key, std::vector<T>* items) {
  const std::vector<uint64_t> permutation = Permutation(key, items->size());
  std::vector<T> shuffled;
  shuffled.reserve(items->size());
  for (const uint64_t index : permutation) shuffled.push_back(std::move((*items)[index]));
  *items = std::move(shuffled);
}

// Cuts a pool, in the given order, into groups.
void CutPool(int32_t source, const RatedPool& pool, const std::vector<uint64_t>& order,
             size_t group_size, std::vector<GroupRef>* groups) {
  for (size_t begin = 0; begin < order.size(); begin += group_size) {
    GroupRef group{source, {}, {}};
    for (size_t i = begin; i < std::min(begin + group_size, order.size()); ++i) {
      group.samples.push_back(pool.samples[order[i]]);
      group.scores.push_back(pool.scores[order[i]]);
    }
    groups->push_back(std::move(group));
  }
}

}  // namespace

std::vector<int64_t> ApportionByWeight(const std::vector<double>& weights, int64_t total) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int64_t> counts(weights.size(), 0);
  if (sum <= 0) return counts;
  std::vector<std::pair<double, size_t>> remainders;  // (-remainder, source)
  int64_t given = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double exact = static_cast<double>(total) * (weights[i] / sum);
    counts[i] = static_cast<int64_t>(std::floor(exact));
    given += counts[i];
    if (weights[i] > 0) remainders.push_back({static_cast<double>(counts[i]) - exact, i});
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < total; ++i, ++given)
    ++counts[remainders[i % remainders.size()].second];
  return counts;
}

std::vector<SampleRef> PassOrder(const Dataset& dataset, uint64_t key, int64_t pass) {
  const std::vector<int64_t> counts = CountsOfPass(dataset);
  std::vector<SampleRef> order;
  for (int32_t source = 0; source < dataset.source_count(); ++source) {
    const uint64_t source_key =
        DeriveKey(key, absl::StrCat("source:", dataset.spec().sources[source].name));
    if (counts[source] < 0) {
      DrawBudget(dataset, source, DeriveKey(source_key, "budget", pass), &order);
      continue;
    }
    SourceDraws draws(source_key, dataset.source(source).count());
    for (int64_t i = 0; i < counts[source]; ++i) {
      order.push_back({source, draws.At(pass * counts[source] + i)});
    }
  }
  Shuffle(DeriveKey(key, "order", pass), &order);
  return order;
}

std::vector<GroupRef> PassGroups(const Dataset& dataset, int32_t group_size, uint64_t key,
                                 int64_t pass) {
  std::vector<GroupRef> groups;
  for (int32_t source = 0; source < dataset.source_count(); ++source) {
    for (const FixedGroup& fixed : dataset.fixed_groups(source)) {
      groups.push_back({source, fixed.samples, fixed.scores});
    }
    const std::string& name = dataset.spec().sources[source].name;
    for (const RatedPool& pool : dataset.pools(source)) {
      const uint64_t pool_key = DeriveKey(key, absl::StrCat("pool:", name, ":", pool.name), pass);
      std::vector<uint64_t> order = Permutation(pool_key, pool.samples.size());
      if (order.size() >= group_size) order.resize(order.size() / group_size * group_size);
      if (order.size() >= 2) CutPool(source, pool, order, group_size, &groups);
    }
  }
  Shuffle(DeriveKey(key, "order", pass), &groups);
  return groups;
}

std::vector<SampleRef> FileOrder(const Dataset& dataset) {
  std::vector<SampleRef> order;
  for (int32_t source = 0; source < dataset.source_count(); ++source) {
    for (int64_t sample = 0; sample < dataset.source(source).count(); ++sample) {
      order.push_back({source, sample});
    }
  }
  return order;
}

std::vector<GroupRef> FileGroups(const Dataset& dataset, int32_t group_size) {
  std::vector<GroupRef> groups;
  for (int32_t source = 0; source < dataset.source_count(); ++source) {
    for (const FixedGroup& fixed : dataset.fixed_groups(source)) {
      groups.push_back({source, fixed.samples, fixed.scores});
    }
    for (const RatedPool& pool : dataset.pools(source)) {
      std::vector<uint64_t> order =
          Permutation(DeriveKey(0, "file groups", pool.samples.size()), pool.samples.size());
      if (order.size() % group_size == 1) order.pop_back();  // one alone ranks nothing
      CutPool(source, pool, order, group_size, &groups);
    }
  }
  return groups;
}

}  // namespace trainyard::data
