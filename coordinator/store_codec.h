// Records as text: the part of a row that no query filters by.

#ifndef TRAINYARD_COORDINATOR_STORE_CODEC_H_
#define TRAINYARD_COORDINATOR_STORE_CODEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/core/records.h"

namespace trainyard::coordinator {

// JSON with one member per field. A job's shape and spec are not part of its text: they never
// change and are stored once. Times are microseconds. Bytes that are not UTF-8 are replaced.
std::string EncodeRecord(const JobRecord& record);
std::string EncodeRecord(const JobShape& record);
std::string EncodeRecord(const AttemptRecord& record);
std::string EncodeRecord(const TaskRecord& record);
std::string EncodeRecord(const NodeRecord& record);
std::string EncodeRecord(const CheckpointRow& record);
std::string EncodeRecord(const ArtifactRow& record);
std::string EncodeRecord(const PipelineRecord& record);

// The record of a text that EncodeRecord made; fields that it lacks keep their default. DataLoss
// names the type and what is wrong.
template <typename Record>
absl::StatusOr<Record> DecodeRecord(absl::string_view text);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STORE_CODEC_H_
