#include "coordinator/store_codec.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json.h"

namespace trainyard::coordinator {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

// Each record names its fields once, for reading and for writing.

template <typename Archive>
void Fields(Archive& a, EndReason& r) {
  a("class", r.end_class), a("message", r.message), a("step", r.step), a("phase", r.phase);
  a("task", r.task), a("exit_code", r.exit_code), a("signal", r.signal);
  a("peak_rss_bytes", r.peak_rss_bytes);
}

template <typename Archive>
void Fields(Archive& a, Resources& r) {
  a("gpus", r.gpus), a("cpu_milli", r.cpu_milli), a("memory_bytes", r.memory_bytes);
  a("node_selector", r.node_selector), a("device_group", r.device_group);
  a("gpu_memory_fraction", r.gpu_memory_fraction);
}

template <typename Archive>
void Fields(Archive& a, RoleShape& r) {
  a("name", r.name), a("count", r.count), a("min_count", r.min_count), a("elastic", r.elastic);
  a("resources", r.resources), a("threads", r.threads);
}

template <typename Archive>
void Fields(Archive& a, ArtifactInput& r) {
  a("reference", r.reference), a("job", r.job), a("artifact", r.artifact);
}

template <typename Archive>
void Fields(Archive& a, JobShape& r) {
  a("kind", r.kind), a("priority", r.priority), a("roles", r.roles), a("roots", r.roots);
  a("after", r.after), a("inputs", r.inputs), a("extend_job", r.extend_job);
  a("run_uri", r.run_uri), a("max_attempts", r.max_attempts), a("max_duration", r.max_duration);
  a("start_limit", r.start_limit), a("checkpoint_limit", r.checkpoint_limit);
  a("eval_limit", r.eval_limit), a("preflight", r.preflight), a("labels", r.labels);
}

template <typename Archive>
void Fields(Archive& a, ArtifactRow& r) {
  a("job_id", r.job_id), a("name", r.name), a("epoch", r.epoch), a("uri", r.uri);
  a("manifest_sha256", r.manifest_sha256), a("type", r.type), a("size_bytes", r.size_bytes);
  a("committed_at", r.committed_at), a("revision", r.revision);
}

template <typename Archive>
void Fields(Archive& a, JobRecord& r) {
  a("id", r.id), a("name", r.name), a("principal", r.principal);
  a("pipeline_id", r.pipeline_id), a("stage", r.stage), a("request_id", r.request_id);
  a("body_digest", r.body_digest), a("secret", r.secret), a("after", r.after);
  a("extended_job", r.extended_job), a("state", r.state), a("desired", r.desired);
  a("epoch", r.epoch), a("attempt", r.attempt);
  a("attempts_without_commit", r.attempts_without_commit), a("wanted", r.wanted);
  a("inputs", r.inputs), a("not_before", r.not_before), a("finished", r.finished);
  a("finish_request_id", r.finish_request_id), a("outputs", r.outputs), a("end", r.end);
  a("reason", r.reason), a("created_at", r.created_at), a("state_since", r.state_since);
  a("started_at", r.started_at), a("ended_at", r.ended_at);
  a("created_revision", r.created_revision), a("revision", r.revision);
}

template <typename Archive>
void Fields(Archive& a, AttemptRecord& r) {
  a("job_id", r.job_id), a("number", r.number), a("epoch", r.epoch), a("state", r.state);
  a("end", r.end), a("restored_step", r.restored_step), a("committed", r.committed);
  a("started_at", r.started_at), a("state_since", r.state_since);
  a("stop_deadline", r.stop_deadline), a("stop_checkpoint", r.stop_checkpoint);
  a("fenced", r.fenced), a("ended_at", r.ended_at), a("revision", r.revision);
}

template <typename Archive>
void Fields(Archive& a, TaskRecord& r) {
  a("task_uid", r.task_uid), a("job_id", r.job_id), a("attempt", r.attempt), a("epoch", r.epoch);
  a("role", r.role), a("index", r.index), a("node", r.node);
  a("node_incarnation", r.node_incarnation), a("state", r.state), a("resources", r.resources);
  a("gpus", r.gpus), a("endpoint", r.endpoint), a("numerics_id", r.numerics_id);
  a("elastic", r.elastic), a("stop", r.stop), a("stop_grace", r.stop_grace);
  a("stop_reason", r.stop_reason), a("own_end", r.own_end), a("end", r.end);
  a("started_at", r.started_at), a("ended_at", r.ended_at), a("revision", r.revision);
}

template <typename Archive>
void Fields(Archive& a, Gpu& r) {
  a("uuid", r.uuid), a("kind", r.kind), a("memory_bytes", r.memory_bytes);
}

template <typename Archive>
void Fields(Archive& a, NodeOffer& r) {
  a("host", r.host), a("advertise", r.advertise), a("gpus", r.gpus), a("cpu_milli", r.cpu_milli);
  a("memory_bytes", r.memory_bytes), a("labels", r.labels), a("roots", r.roots);
  a("version", r.version);
}

template <typename Archive>
void Fields(Archive& a, NodeRecord& r) {
  a("name", r.name), a("incarnation", r.incarnation), a("process_nonce", r.process_nonce);
  a("state", r.state), a("cordoned", r.cordoned), a("offer", r.offer);
  a("registered_at", r.registered_at), a("revision", r.revision);
}

template <typename Archive>
void Fields(Archive& a, CheckpointRow& r) {
  a("job_id", r.job_id), a("request_id", r.request_id), a("epoch", r.epoch), a("step", r.step);
  a("uri", r.uri), a("manifest_sha256", r.manifest_sha256), a("metric", r.metric);
  a("metric_higher_is_better", r.metric_higher_is_better), a("prune", r.prune);
  a("committed_at", r.committed_at), a("revision", r.revision);
}

template <typename Archive>
void Fields(Archive& a, PipelineRecord& r) {
  a("id", r.id), a("name", r.name), a("principal", r.principal), a("request_id", r.request_id);
  a("body_digest", r.body_digest), a("job_ids", r.job_ids), a("created_at", r.created_at);
  a("revision", r.revision);
}

class Writer {
 public:
  template <typename T>
  void operator()(const char* field, const T& value) {
    json_[field] = Value(value);
  }
  Json Take() { return std::move(json_); }

 private:
  static Json Value(absl::Time time) {
    if (time == absl::InfinitePast()) return kNever;
    return time == absl::InfiniteFuture() ? kForever : absl::ToUnixMicros(time);
  }
  static Json Value(absl::Duration duration) {
    return duration == absl::InfiniteDuration() ? kForever : absl::ToInt64Microseconds(duration);
  }
  static Json Value(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
  template <typename T>
  static Json Value(const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(Value(value));
    return list;
  }
  template <typename T>
  static Json Value(const std::map<std::string, T>& values) {
    Json object = Json::object();
    for (const auto& [key, value] : values) object[key] = Value(value);
    return object;
  }
  template <typename T>
  static Json Value(const std::optional<T>& value) {
    return value.has_value() ? Value(*value) : Json(nullptr);
  }
  template <typename T>
  static Json Value(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      return static_cast<int>(value);
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return value;
    } else {
      Writer nested;
      Fields(nested, const_cast<T&>(value));  // Fields also serves reading; this one only reads
      return nested.Take();
    }
  }

  Json json_ = Json::object();
};

class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  template <typename T>
  void operator()(const char* field, T& value) {
    const auto it = json_.find(field);
    if (it != json_.end() && !it->is_null()) Read(*it, value);
  }

 private:
  static void Read(const Json& json, absl::Time& time) {
    const auto micros = json.get<int64_t>();
    time = micros == kNever     ? absl::InfinitePast()
           : micros == kForever ? absl::InfiniteFuture()
                                : absl::FromUnixMicros(micros);
  }
  static void Read(const Json& json, absl::Duration& duration) {
    const auto micros = json.get<int64_t>();
    duration = micros == kForever ? absl::InfiniteDuration() : absl::Microseconds(micros);
  }
  template <typename T>
  static void Read(const Json& json, std::vector<T>& values) {
    values.resize(json.size());
    for (size_t i = 0; i < json.size(); ++i) Read(json[i], values[i]);
  }
  template <typename T>
  static void Read(const Json& json, std::map<std::string, T>& values) {
    for (const auto& [key, value] : json.items()) Read(value, values[key]);
  }
  template <typename T>
  static void Read(const Json& json, std::optional<T>& value) {
    Read(json, value.emplace());
  }
  template <typename T>
  static void Read(const Json& json, T& value) {
    if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(json.get<int>());
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      value = json.get<T>();
    } else {
      Reader nested(json);
      Fields(nested, value);
    }
  }

  const Json& json_;
};

template <typename Record>
std::string Encode(const Record& record) {
  Writer writer;
  Fields(writer, const_cast<Record&>(record));  // as above
  return writer.Take().dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string EncodeRecord(const JobRecord& record) { return Encode(record); }
std::string EncodeRecord(const JobShape& record) { return Encode(record); }
std::string EncodeRecord(const AttemptRecord& record) { return Encode(record); }
std::string EncodeRecord(const TaskRecord& record) { return Encode(record); }
std::string EncodeRecord(const NodeRecord& record) { return Encode(record); }
std::string EncodeRecord(const CheckpointRow& record) { return Encode(record); }
std::string EncodeRecord(const ArtifactRow& record) { return Encode(record); }
std::string EncodeRecord(const PipelineRecord& record) { return Encode(record); }

template <typename Record>
absl::StatusOr<Record> DecodeRecord(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return absl::DataLossError("a stored record is not a JSON object");
  try {
    Record record;
    Reader reader(json);
    Fields(reader, record);
    return record;
  } catch (const Json::exception& error) {
    return absl::DataLossError(absl::StrCat("a stored record is not readable: ", error.what()));
  }
}

template absl::StatusOr<JobRecord> DecodeRecord(absl::string_view);
template absl::StatusOr<JobShape> DecodeRecord(absl::string_view);
template absl::StatusOr<AttemptRecord> DecodeRecord(absl::string_view);
template absl::StatusOr<TaskRecord> DecodeRecord(absl::string_view);
template absl::StatusOr<NodeRecord> DecodeRecord(absl::string_view);
template absl::StatusOr<CheckpointRow> DecodeRecord(absl::string_view);
template absl::StatusOr<ArtifactRow> DecodeRecord(absl::string_view);
template absl::StatusOr<PipelineRecord> DecodeRecord(absl::string_view);

}  // namespace trainyard::coordinator
