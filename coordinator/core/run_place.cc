#include "coordinator/core/run_place.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace trainyard::coordinator {

absl::Status CheckRunPlace(const State& state, const JobRecord& record) {
  const std::string& uri = record.shape->run_uri;
  const auto place = state.run_places.find(uri);
  if (place == state.run_places.end() || place->second.holder.empty() ||
      place->second.holder == record.id) {
    return absl::OkStatus();
  }
  const JobRecord& holder = state.FindJob(place->second.holder)->record;
  return absl::AlreadyExistsError(absl::StrCat(
      "job '", record.name, "': run_uri ", uri, " belongs to job ", holder.id, " ('", holder.name,
      "'), which is ", JobStateName(holder.state),
      ": wait for its end or cancel it, or choose another run_uri (by default each job has its "
      "own)"));
}

void IndexRunPlace(State& state, const JobRecord& record) {
  if (record.shape->run_uri.empty()) return;
  RunPlace& place = state.run_places[record.shape->run_uri];
  place.epoch = std::max(place.epoch, record.epoch);
  if (!IsTerminal(record.state)) {
    place.holder = record.id;
  } else if (place.holder == record.id) {
    place.holder.clear();
  }
}

uint64_t TakeEpoch(State& state, const JobRecord& record) {
  if (record.shape->run_uri.empty()) return record.epoch + 1;
  uint64_t& highest = state.run_places[record.shape->run_uri].epoch;
  highest = std::max(highest, record.epoch) + 1;
  return highest;
}

}  // namespace trainyard::coordinator
