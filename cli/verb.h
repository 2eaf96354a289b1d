// What every verb of `trainyard` has: the global options, a connection, an exit code, a way to
// print.

#ifndef TRAINYARD_CLI_VERB_H_
#define TRAINYARD_CLI_VERB_H_

#include <google/protobuf/message.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client.h"

namespace trainyard::cli {

// Exit codes, as docs/operations.md lists them.
enum ExitCode {
  kExitOk = 0,           // done; wait: SUCCEEDED
  kExitFailed = 1,       // an error that is none of the others
  kExitUsage = 2,        // flags, or a spec that is not valid
  kExitUnreachable = 3,  // no coordinator there
  kExitNotFound = 4,
  kExitRefused = 5,     // the state does not allow it
  kExitJobFailed = 10,  // wait, watch: FAILED
  kExitJobCancelled = 11,
  kExitTimeout = 12,  // wait --timeout
  kExitInterrupted = 130,
};

struct Globals {
  std::string coordinator;
  std::string context;
  std::string output = "table";  // table, json, yaml
  int exit_code = kExitOk;       // set by the verb that ran
};

// A verb's work: its exit code, or the error to show.
using VerbBody = std::function<absl::StatusOr<int>()>;

// Declares a verb with an example that --help shows. `body` runs when the verb was given; its error
// is printed with what the reader can do, and becomes the exit code.
CLI::App* AddVerb(CLI::App& app, Globals* globals, const std::string& name,
                  const std::string& description, const std::string& example);
void SetBody(CLI::App* verb, Globals* globals, VerbBody body);

// A connection to the coordinator that the global options name.
absl::StatusOr<Client> Connect(const Globals& globals);

// Prints `message` as JSON or YAML, or `table()` for people.
void Print(const Globals& globals, const google::protobuf::Message& message,
           const std::function<std::string()>& table);

// The error, each violation on a line of its own, and the remedy, on standard error. Its exit code.
int ShowError(const absl::Status& status);

// How a finished job or pipeline is told to the shell.
int ExitCodeOf(const Target& target);

// What to say of a command line whose verb is none of `verbs`, with the nearest one; empty when the
// verb is not what is wrong with it.
std::string UnknownVerb(const std::vector<std::string>& arguments,
                        const std::vector<std::string>& verbs);

// True when standard output is a terminal.
bool OnTerminal();

// ---- One function per verb, each in the file of its name ----

void AddUp(CLI::App& app, Globals* globals);
void AddSubmit(CLI::App& app, Globals* globals);
void AddGet(CLI::App& app, Globals* globals);
void AddDescribe(CLI::App& app, Globals* globals);
void AddList(CLI::App& app, Globals* globals);
void AddWatch(CLI::App& app, Globals* globals);
void AddWait(CLI::App& app, Globals* globals);
void AddLogs(CLI::App& app, Globals* globals);
void AddCancel(CLI::App& app, Globals* globals);
void AddRetry(CLI::App& app, Globals* globals);
void AddPause(CLI::App& app, Globals* globals);
void AddResume(CLI::App& app, Globals* globals);
void AddScale(CLI::App& app, Globals* globals);
void AddNodes(CLI::App& app, Globals* globals);
void AddCordon(CLI::App& app, Globals* globals);
void AddDrain(CLI::App& app, Globals* globals);
void AddArtifacts(CLI::App& app, Globals* globals);
void AddEvents(CLI::App& app, Globals* globals);
void AddMetrics(CLI::App& app, Globals* globals);
void AddGenerate(CLI::App& app, Globals* globals);
void AddEval(CLI::App& app, Globals* globals);
void AddExport(CLI::App& app, Globals* globals);
void AddTokenize(CLI::App& app, Globals* globals);
void AddContext(CLI::App& app, Globals* globals);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_VERB_H_
