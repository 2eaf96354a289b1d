#include "base/metrics.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace trainyard {
namespace {

std::string LabelText(const Metrics::Labels& labels) {
  if (labels.empty()) return "";
  std::vector<std::string> pairs;
  for (const auto& [name, value] : labels) {
    const std::string escaped =
        absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
    pairs.push_back(absl::StrCat(name, "=\"", escaped, "\""));
  }
  return absl::StrCat("{", absl::StrJoin(pairs, ","), "}");
}

}  // namespace

void Metrics::Describe(absl::string_view name, absl::string_view type, absl::string_view help) {
  absl::MutexLock lock(&mutex_);
  Family& family = families_[std::string(name)];
  family.type = std::string(type);
  family.help = std::string(help);
}

void Metrics::Add(absl::string_view name, const Labels& labels, double amount) {
  absl::MutexLock lock(&mutex_);
  families_[std::string(name)].series[labels] += amount;
}

void Metrics::Set(absl::string_view name, const Labels& labels, double value) {
  absl::MutexLock lock(&mutex_);
  families_[std::string(name)].series[labels] = value;
}

void Metrics::Remove(absl::string_view name, const Labels& labels) {
  absl::MutexLock lock(&mutex_);
  families_[std::string(name)].series.erase(labels);
}

std::string Metrics::PrometheusText() const {
  absl::MutexLock lock(&mutex_);
  std::string text;
  for (const auto& [name, family] : families_) {
    if (!family.help.empty()) absl::StrAppend(&text, "# HELP ", name, " ", family.help, "\n");
    absl::StrAppend(&text, "# TYPE ", name, " ", family.type, "\n");
    for (const auto& [labels, value] : family.series) {
      absl::StrAppend(&text, name, LabelText(labels), " ", value, "\n");
    }
  }
  return text;
}

Metrics& Metrics::Process() {
  static Metrics* const metrics = new Metrics;
  return *metrics;
}

}  // namespace trainyard
