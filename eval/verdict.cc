#include "eval/verdict.h"

#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace trainyard::eval {
namespace {

struct Estimate {
  double value = 0;
  std::optional<Interval> interval;
};

// What a gate or a report may say of one model.
struct Comparison {
  Estimate value;
  std::optional<Estimate> delta, ratio;  // to the baseline
};

// `combine` of the two models' values: with an interval when both have parts.
Estimate EstimateOf(const Measured& model, const Measured& baseline,
                    const BootstrapOptions& options,
                    const std::function<double(double, double)>& combine) {
  Estimate estimate;
  estimate.value = combine(model.Value(), baseline.Value());
  if (model.corpus_value.has_value() || baseline.corpus_value.has_value()) return estimate;
  estimate.interval = Bootstrap(static_cast<int64_t>(model.numerators.size()), options,
                                [&](absl::Span<const int32_t> drawn) {
                                  return combine(model.Value(drawn), baseline.Value(drawn));
                                });
  return estimate;
}

Comparison Compare(const MetricOfModels& metric, const std::string& model,
                   const VerdictInput& input) {
  const Measured& measured = metric.by_model.at(model);
  Comparison comparison;
  comparison.value =
      EstimateOf(measured, measured, input.bootstrap, [](double value, double) { return value; });
  if (!input.baseline.has_value() || model == *input.baseline) return comparison;
  const Measured& baseline = metric.by_model.at(*input.baseline);
  comparison.delta = EstimateOf(measured, baseline, input.bootstrap, std::minus<double>());
  comparison.ratio = EstimateOf(measured, baseline, input.bootstrap, std::divides<double>());
  return comparison;
}

// JSON has no infinity: a value that is not finite is null.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

void Write(const Estimate& estimate, Json* json) {
  (*json)["value"] = Number(estimate.value);
  if (!estimate.interval.has_value()) return;
  (*json)["ci_low"] = Number(estimate.interval->low);
  (*json)["ci_high"] = Number(estimate.interval->high);
}

Json ComparisonJson(const Comparison& comparison, const std::string& detail) {
  Json json = Json::object();
  Write(comparison.value, &json);
  if (!detail.empty()) json["detail"] = detail;
  if (comparison.delta.has_value()) Write(*comparison.delta, &json["delta"]);
  if (comparison.ratio.has_value()) Write(*comparison.ratio, &json["ratio"]);
  return json;
}

const char* NameOf(GateOf of) {
  return of == GateOf::kDelta ? "delta" : of == GateOf::kRatio ? "ratio" : "value";
}

// Whether every bound holds, and the bounds as text. Not finite values hold nothing.
struct GateOutcome {
  bool ok = true;
  std::string bound;

  void Require(bool holds, const char* format_text, double limit) {
    ok = ok && holds;
    absl::StrAppend(&bound, bound.empty() ? "" : ", ", format_text, absl::StrFormat("%g", limit));
  }
};

absl::StatusOr<GateOutcome> Judge(const Gate& gate, const Estimate& estimate) {
  const bool bounds_interval = gate.ci_low_min.has_value() || gate.ci_high_max.has_value();
  if (bounds_interval && !estimate.interval.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "gate on \"", gate.metric, "\": the measure has no interval; bound min and max instead"));
  }
  GateOutcome outcome;
  if (gate.min.has_value()) outcome.Require(estimate.value >= *gate.min, ">= ", *gate.min);
  if (gate.max.has_value()) outcome.Require(estimate.value <= *gate.max, "<= ", *gate.max);
  if (gate.ci_low_min.has_value()) {
    outcome.Require(estimate.interval->low >= *gate.ci_low_min, "interval >= ", *gate.ci_low_min);
  }
  if (gate.ci_high_max.has_value()) {
    outcome.Require(estimate.interval->high <= *gate.ci_high_max,
                    "interval <= ", *gate.ci_high_max);
  }
  return outcome;
}

absl::StatusOr<const Estimate*> Pick(const Gate& gate, const Comparison& comparison) {
  if (gate.of == GateOf::kValue) return &comparison.value;
  const std::optional<Estimate>& picked =
      gate.of == GateOf::kDelta ? comparison.delta : comparison.ratio;
  if (picked.has_value()) return &*picked;
  return absl::InvalidArgumentError(absl::StrCat("gate on the ", NameOf(gate.of), " of \"",
                                                 gate.metric,
                                                 "\" needs a model marked as baseline"));
}

using ComparisonsOfMetric = std::map<std::string, Comparison>;  // by model

absl::StatusOr<Json> GateRows(const VerdictInput& input,
                              const std::map<std::string, ComparisonsOfMetric>& metrics) {
  Json rows = Json::array();
  for (const Gate& gate : input.gates) {
    const auto metric = metrics.find(gate.metric);
    if (metric == metrics.end()) {
      const auto append_name = [](std::string* out, const auto& entry) { *out += entry.first; };
      return absl::InvalidArgumentError(absl::StrCat("a gate names metric \"", gate.metric,
                                                     "\"; there are ",
                                                     absl::StrJoin(metrics, ", ", append_name)));
    }
    for (const std::string& model : input.models) {
      if (input.baseline.has_value() && model == *input.baseline) continue;
      TY_ASSIGN_OR_RETURN(const Estimate* estimate, Pick(gate, metric->second.at(model)));
      TY_ASSIGN_OR_RETURN(const GateOutcome outcome, Judge(gate, *estimate));
      Json row = {{"metric", gate.metric},
                  {"of", NameOf(gate.of)},
                  {"model", model},
                  {"bound", outcome.bound},
                  {"ok", outcome.ok}};
      Write(*estimate, &row);
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace

absl::StatusOr<Json> Verdict(const VerdictInput& input) {
  std::map<std::string, ComparisonsOfMetric> comparisons;
  Json metrics = Json::array();
  for (const MetricOfModels& metric : input.metrics) {
    Json models = Json::object();
    for (const std::string& model : input.models) {
      const Comparison& comparison =
          comparisons[metric.name].emplace(model, Compare(metric, model, input)).first->second;
      models[model] = ComparisonJson(comparison, metric.by_model.at(model).detail);
    }
    metrics.push_back({{"name", metric.name}, {"models", std::move(models)}});
  }
  TY_ASSIGN_OR_RETURN(Json gates, GateRows(input, comparisons));
  bool passed = true;
  for (const Json& gate : gates) passed = passed && gate["ok"].get<bool>();
  return Json{{"metrics", std::move(metrics)}, {"gates", std::move(gates)}, {"passed", passed}};
}

}  // namespace trainyard::eval
