#include "cli/report_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/text.h"

namespace trainyard::cli {
namespace {

Json Member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? Json(nullptr) : *found;
}

std::string Text(const Json& value) { return value.is_string() ? value.get<std::string>() : "-"; }

std::string Number(const Json& value) {
  return value.is_number() ? absl::StrFormat("%.4g", value.get<double>()) : "-";
}

// "0.28 [0.25, 0.31]".
std::string Estimate(const Json& estimate) {
  const std::string value = Number(Member(estimate, "value"));
  const Json low = Member(estimate, "ci_low");
  if (!low.is_number()) return value;
  return absl::StrCat(value, " [", Number(low), ", ", Number(Member(estimate, "ci_high")), "]");
}

}  // namespace

std::string ReportText(const Json& report) {
  std::vector<std::vector<std::string>> rows = {{"METRIC", "MODEL", "VALUE", "DIFFERENCE"}};
  const Json metrics = Member(report, "metrics");
  for (const Json& metric : metrics) {
    const Json models = Member(metric, "models");
    for (const auto& [model, values] : models.items()) {
      rows.push_back({Text(Member(metric, "name")), model, Estimate(values),
                      Estimate(Member(values, "delta"))});
    }
  }
  std::string out = Table(rows);
  const Json gates = Member(report, "gates");
  for (const Json& gate : gates) {
    absl::StrAppend(&out, "gate ", Text(Member(gate, "metric")), " (", Text(Member(gate, "of")),
                    ") ", Number(Member(gate, "value")), " ", Text(Member(gate, "bound")),
                    Member(gate, "ok") == Json(true) ? ": holds" : ": fails", "\n");
  }
  return out;
}

}  // namespace trainyard::cli
