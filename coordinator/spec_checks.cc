#include "coordinator/spec_checks.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/ids.h"

namespace trainyard::coordinator {

std::string SpecChecks::Path(absl::string_view field) const {
  if (prefix_.empty()) return std::string(field);
  if (field.empty()) return prefix_;
  return absl::StrCat(prefix_, ".", field);
}

SpecChecks SpecChecks::Under(absl::string_view field, int index) const {
  return {absl::StrCat(Path(field), "[", index, "]"), &violations_};
}

void SpecChecks::Violation(absl::string_view field, absl::string_view message) {
  violations_.push_back({Path(field), std::string(message)});
}

void SpecChecks::AtLeast(absl::string_view field, double value, double least) {
  if (!(value >= least)) {
    Violation(field, absl::StrCat("is ", value, ", must be at least ", least));
  }
}

void SpecChecks::Positive(absl::string_view field, double value) {
  if (!(value > 0)) Violation(field, absl::StrCat("is ", value, ", must be more than 0"));
}

void SpecChecks::Within(absl::string_view field, double value, double least, double most) {
  if (!(value >= least && value <= most)) {
    Violation(field, absl::StrCat("is ", value, ", must be within ", least, " .. ", most));
  }
}

void SpecChecks::Below(absl::string_view field, double value, double least, double below) {
  if (!(value >= least && value < below)) {
    Violation(field,
              absl::StrCat("is ", value, ", must be at least ", least, " and below ", below));
  }
}

void SpecChecks::OneOf(absl::string_view field, const std::string& value,
                       const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  const std::string nearest = NearestName(value, allowed);
  Violation(field,
            absl::StrCat("is \"", value, "\", must be one of ", absl::StrJoin(allowed, ", "),
                         nearest.empty() ? "" : absl::StrCat(" (did you mean ", nearest, "?)")));
}

void SpecChecks::RootUri(absl::string_view field, const std::string& uri) {
  absl::string_view rest = uri;
  if (!absl::ConsumePrefix(&rest, "root://")) {
    return Violation(field,
                     absl::StrCat("is \"", uri,
                                  "\", must be root://NAME/relative/path with a root that the "
                                  "operator declared on the agents"));
  }
  const std::vector<std::string> parts = absl::StrSplit(rest, '/');
  if (!ValidateName("root", parts[0]).ok()) {
    return Violation(field, absl::StrCat("names the root \"", parts[0],
                                         "\"; a root's name is 1..63 of [a-z0-9-]"));
  }
  if (parts.size() < 2) {
    return Violation(field, absl::StrCat("is \"", uri, "\", a path below the root is missing"));
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].empty() || parts[i] == "." || parts[i] == ".." ||
        absl::StrContains(parts[i], '\0')) {
      return Violation(
          field,
          absl::StrCat("is \"", uri, "\"; the path may not have empty, \".\" or \"..\" parts"));
    }
  }
}

void SpecChecks::File(absl::string_view field, bool present, const v1::FileRef& file,
                      bool required) {
  const bool empty = file.uri().empty() && file.artifact().empty();
  if (!present || empty) {
    if (required || present) {
      Violation(field, "is missing; give root://NAME/path, or STAGE/OUTPUT of another job");
    }
    return;
  }
  if (!file.uri().empty()) return RootUri(field, file.uri());
  const std::vector<std::string> parts = absl::StrSplit(file.artifact(), '/');
  const bool of_stage = parts.size() == 2;
  const bool of_job = parts.size() == 3 && parts[0] == "jobs";
  if ((!of_stage && !of_job) || parts.back().empty() || parts[parts.size() - 2].empty()) {
    Violation(field, absl::StrCat("is \"", file.artifact(),
                                  "\", must be root://NAME/path, or an output: "
                                  "STAGE/OUTPUT (in a pipeline) or jobs/JOB/OUTPUT"));
  }
}

std::string RootName(absl::string_view uri) {
  if (!absl::ConsumePrefix(&uri, "root://")) return "";
  return std::string(uri.substr(0, uri.find('/')));
}

}  // namespace trainyard::coordinator
