// The whole command line of `trainyard`: the global options and every verb.

#ifndef TRAINYARD_CLI_COMMAND_LINE_H_
#define TRAINYARD_CLI_COMMAND_LINE_H_

namespace trainyard::cli {

// Runs one command line (argv[0] is the program) on standard output and error, and gives its exit
// code (cli/verb.h): kExitUsage for a line that is none, which names the nearest verb; 0 for --help
// and --version. `up` waits for stop signals, which must be blocked already (base/shutdown.h).
int RunCommandLine(int argc, const char* const* argv);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_COMMAND_LINE_H_
