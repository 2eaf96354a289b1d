#include "cli/verb.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "cli/contexts.h"
#include "cli/message_text.h"
#include "rpc/server.h"
#include "rpc/status.h"

namespace trainyard::cli {
namespace {

int ExitCodeOfStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kUnavailable:
      return kExitUnreachable;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
      return kExitRefused;
    case absl::StatusCode::kDeadlineExceeded:
      return kExitTimeout;
    default:
      return kExitFailed;
  }
}

}  // namespace

CLI::App* AddVerb(CLI::App& app, Globals*, const std::string& name, const std::string& description,
                  const std::string& example) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->footer(absl::StrCat("Example:\n  ", example));
  verb->fallthrough();
  return verb;
}

void SetBody(CLI::App* verb, Globals* globals, VerbBody body) {
  verb->callback([globals, body = std::move(body)] {
    const absl::StatusOr<int> code = body();
    globals->exit_code = code.ok() ? *code : ShowError(code.status());
  });
}

absl::StatusOr<Client> Connect(const Globals& globals) {
  Contexts contexts;
  if (globals.coordinator.empty()) {
    TY_ASSIGN_OR_RETURN(contexts, ReadContexts(ContextsPath()));
  }
  TY_ASSIGN_OR_RETURN(const std::string address,
                      ChooseCoordinator(globals.coordinator, globals.context, contexts));
  TY_RETURN_IF_ERROR(rpc::ParseAddress(address).status());
  return Client(address);
}

void Print(const Globals& globals, const google::protobuf::Message& message,
           const std::function<std::string()>& table) {
  if (globals.output == "json") {
    std::cout << MessageToJson(message).dump(2) << "\n";
  } else if (globals.output == "yaml") {
    std::cout << MessageToYaml(message);
  } else {
    std::cout << table();
  }
  std::cout.flush();
}

int ShowError(const absl::Status& status) {
  const auto detail = rpc::DetailOf(status);
  std::cerr << "trainyard: ";
  if (detail.has_value() && !detail->violations.empty()) {
    std::cerr << "the spec is not valid\n";
    for (const rpc::FieldViolation& violation : detail->violations) {
      std::cerr << "  " << violation.field << (violation.field.empty() ? "" : ": ")
                << violation.message << "\n";
    }
  } else {
    std::cerr << status.message() << "\n";
  }
  if (detail.has_value() && !detail->remedy.empty()) {
    std::cerr << "what to do: " << detail->remedy << "\n";
  }
  return ExitCodeOfStatus(status);
}

int ExitCodeOf(const Target& target) {
  if (const auto* job = std::get_if<v1::Job>(&target)) {
    if (job->state() == v1::SUCCEEDED) return kExitOk;
    return job->state() == v1::CANCELLED ? kExitJobCancelled : kExitJobFailed;
  }
  // A pipeline failed when a stage did; those behind it are cancelled by that.
  bool cancelled = false;
  for (const v1::Job& job : std::get<v1::Pipeline>(target).jobs()) {
    if (job.state() == v1::FAILED) return kExitJobFailed;
    cancelled = cancelled || job.state() == v1::CANCELLED;
  }
  return cancelled ? kExitJobCancelled : kExitOk;
}

std::string UnknownVerb(const std::vector<std::string>& arguments,
                        const std::vector<std::string>& verbs) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--coordinator" || argument == "--context" || argument == "-o" ||
        argument == "--output") {
      ++i;  // its value
      continue;
    }
    if (absl::StartsWith(argument, "-")) continue;
    if (std::find(verbs.begin(), verbs.end(), argument) != verbs.end()) return "";
    const std::string nearest = NearestName(argument, verbs);
    return absl::StrCat("there is no verb \"", argument, "\"",
                        nearest.empty() ? "" : absl::StrCat(" (did you mean \"", nearest, "\"?)"));
  }
  return "";
}

bool OnTerminal() { return isatty(STDOUT_FILENO) == 1; }

}  // namespace trainyard::cli
