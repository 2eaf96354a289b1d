#include "coordinator/config.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "base/status.h"
#include "rpc/server.h"

namespace trainyard::coordinator {
namespace {

using Setter = std::function<bool(const std::string&)>;

Setter Text(std::string* target) {
  return [target](const std::string& text) {
    *target = text;
    return true;
  };
}

Setter Number(double* target) {
  return [target](const std::string& text) { return absl::SimpleAtod(text, target); };
}

Setter Bool(bool* target) {
  return [target](const std::string& text) { return absl::SimpleAtob(text, target); };
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

absl::Status CheckListener(absl::string_view flag, const std::string& address, bool allowed) {
  TY_ASSIGN_OR_RETURN(const rpc::HostPort at, rpc::ParseAddress(address));
  if (IsLoopback(at.host) || allowed) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      flag, " ", address,
      " can be reached by other machines and there is no TLS: anybody there could submit jobs. "
      "Listen on 127.0.0.1, or add --serve-without-tls-beyond-loopback when the network is yours "
      "alone"));
}

}  // namespace

absl::Status ReadConfigFile(const std::string& path, Config* config) {
  const std::map<std::string, Setter> setters = {
      {"state_dir", Text(&config->state_dir)},
      {"listen", Text(&config->listen)},
      {"advertise", Text(&config->advertise)},
      {"http", Text(&config->http)},
      {"address_file", Text(&config->address_file)},
      {"http_address_file", Text(&config->http_address_file)},
      {"log_level", Text(&config->log_level)},
      {"lease_seconds", Number(&config->lease_seconds)},
      {"heartbeat_seconds", Number(&config->heartbeat_seconds)},
      {"orphan_timeout_seconds", Number(&config->orphan_timeout_seconds)},
      {"refuse_unplaceable", Bool(&config->refuse_unplaceable)},
  };
  YAML::Node root;
  try {
    root = YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    return absl::NotFoundError(absl::StrCat(path, ": can not be read"));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", error.mark.line + 1, ": not YAML: ", error.msg));
  }
  if (root.IsNull()) return absl::OkStatus();
  if (!root.IsMap()) return absl::InvalidArgumentError(absl::StrCat(path, ": must be a mapping"));
  std::vector<std::string> names;
  for (const auto& [name, setter] : setters) names.push_back(name);
  for (const auto& entry : root) {
    const std::string name = entry.first.Scalar();
    const std::string where = absl::StrCat(path, ":", entry.first.Mark().line + 1, ": ");
    const auto setter = setters.find(name);
    if (setter == setters.end()) {
      const std::string nearest = NearestName(name, names);
      return absl::InvalidArgumentError(
          absl::StrCat(where, "unknown field \"", name, "\" (",
                       nearest.empty() ? absl::StrCat("fields: ", absl::StrJoin(names, ", "))
                                       : absl::StrCat("did you mean \"", nearest, "\"?"),
                       ")"));
    }
    if (!entry.second.IsScalar() || !setter->second(entry.second.Scalar())) {
      return absl::InvalidArgumentError(absl::StrCat(where, name, " has a value of another type"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckConfig(const Config& config) {
  if (config.state_dir.empty()) {
    return absl::InvalidArgumentError("--state-dir is missing: where jobs are kept");
  }
  TY_RETURN_IF_ERROR(
      CheckListener("--listen", config.listen, config.serve_without_tls_beyond_loopback));
  if (!config.http.empty()) {
    TY_RETURN_IF_ERROR(
        CheckListener("--http", config.http, config.serve_without_tls_beyond_loopback));
  }
  if (!(config.heartbeat_seconds > 0 && config.lease_seconds >= 2 * config.heartbeat_seconds)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "lease_seconds is ", config.lease_seconds, ", must be at least twice heartbeat_seconds (",
        config.heartbeat_seconds, "), which must be more than 0"));
  }
  if (!(config.orphan_timeout_seconds > config.lease_seconds)) {
    return absl::InvalidArgumentError(
        absl::StrCat("orphan_timeout_seconds is ", config.orphan_timeout_seconds,
                     ", must be more than lease_seconds ", config.lease_seconds));
  }
  return absl::OkStatus();
}

}  // namespace trainyard::coordinator
