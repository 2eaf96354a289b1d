#include "coordinator/job_filter.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status.h"

namespace trainyard::coordinator {
namespace {

constexpr JobState kStates[] = {JobState::kBlocked,  JobState::kQueued,    JobState::kActive,
                                JobState::kPaused,   JobState::kSucceeded, JobState::kFailed,
                                JobState::kCancelled};

absl::Status Bad(absl::string_view term, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("filter term \"", term, "\": ", why));
}

absl::Status SetState(absl::string_view term, const std::string& value, JobFilter* filter) {
  std::vector<std::string> names;
  for (const JobState state : kStates) {
    names.push_back(std::string(JobStateName(state)));
    if (names.back() == absl::AsciiStrToUpper(value)) {
      filter->state = state;
      return absl::OkStatus();
    }
  }
  return Bad(term, absl::StrCat("a state is one of ", absl::StrJoin(names, ", ")));
}

absl::Status AddTerm(absl::string_view term, JobFilter* filter) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(term, absl::MaxSplits('=', 1));
  const std::string key(absl::StripAsciiWhitespace(parts.first));
  const std::string value(absl::StripAsciiWhitespace(parts.second));
  if (value.empty()) return Bad(term, "write it as key=value");
  absl::string_view label = key;
  if (absl::ConsumePrefix(&label, "label.") && !label.empty()) {
    filter->labels[std::string(label)] = value;
    return absl::OkStatus();
  }
  if (key == "state") return SetState(term, value, filter);
  if (key == "kind") {
    filter->kind = value;
  } else if (key == "name") {
    filter->name = value;
  } else if (key == "pipeline") {
    filter->pipeline_id = value;
  } else {
    const std::vector<std::string> known = {"state", "kind", "name", "pipeline", "label.KEY"};
    const std::string nearest = NearestName(key, known);
    return Bad(term, nearest.empty() ? absl::StrCat("keys are ", absl::StrJoin(known, ", "))
                                     : absl::StrCat("did you mean ", nearest, "?"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobFilter> ParseJobFilter(absl::string_view text) {
  JobFilter filter;
  const std::string joined = absl::StrReplaceAll(text, {{" AND ", ","}, {" and ", ","}});
  for (absl::string_view term : absl::StrSplit(joined, ',')) {
    term = absl::StripAsciiWhitespace(term);
    if (term.empty()) continue;
    TY_RETURN_IF_ERROR(AddTerm(term, &filter));
  }
  return filter;
}

}  // namespace trainyard::coordinator
