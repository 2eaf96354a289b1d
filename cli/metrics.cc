#include <memory>
#include <set>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

constexpr int kTablePoints = 20;

std::string MetricsTable(const v1::GetMetricsResponse& response) {
  if (response.points().empty()) return "no metrics yet\n";
  std::set<std::string> names;
  for (const v1::MetricPoint& point : response.points()) {
    for (const auto& [name, value] : point.values()) names.insert(name);
  }
  std::vector<std::vector<std::string>> rows = {{"STEP"}};
  for (const std::string& name : names) rows[0].push_back(name);
  for (const v1::MetricPoint& point : response.points()) {
    rows.push_back({std::to_string(point.step())});
    for (const std::string& name : names) {
      const auto value = point.values().find(name);
      rows.back().push_back(value == point.values().end() ? "-"
                                                          : absl::StrFormat("%.5g", value->second));
    }
  }
  return Table(rows);
}

}  // namespace

void AddMetrics(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "metrics", "Numbers that a job reported, by step",
                           "trainyard metrics my-sft -o json > curve.json");
  const auto request = std::make_shared<v1::GetMetricsRequest>();
  const auto job = std::make_shared<std::string>();
  const auto from = std::make_shared<int64_t>(0);
  const auto points = std::make_shared<int>(0);
  verb->add_option("JOB", *job, "id or name of a job")->required();
  verb->add_option("--from", *from, "steps from this one on");
  verb->add_option("--points", *points,
                   "at most so many, thinned evenly (default: 20 as a table, else 10,000)");
  SetBody(verb, globals, [=]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    request->set_job(*job);
    request->set_from_step(*from);
    request->set_max_points(*points == 0 && globals->output == "table" ? kTablePoints : *points);
    TY_ASSIGN_OR_RETURN(const auto response, client.GetMetrics(*request));
    Print(*globals, response, [&] { return MetricsTable(response); });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
