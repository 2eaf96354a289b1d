// trainyard: the user's command line.

#include <string>

#include "base/log.h"
#include "base/shutdown.h"
#include "cli/command_line.h"

int main(int argc, char** argv) {
  // `up` waits for the signals; the other verbs are ended by them.
  if (argc > 1 && std::string(argv[1]) == "up") trainyard::BlockStopSignals();
  trainyard::ConfigureLog("trainyard", "warn");
  return trainyard::cli::RunCommandLine(argc, argv);
}
