// trainyard: the user's command line.

#include <algorithm>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/shutdown.h"
#include "cli/command_line.h"

int main(int argc, char** argv) {
  // `up` and chats wait for the signals; the other verbs are ended by them.
  const std::vector<std::string> arguments(argv, argv + argc);
  const bool talks = std::count(arguments.begin(), arguments.end(), "--chat") > 0;
  if (talks || (argc > 1 && arguments[1] == "up")) trainyard::BlockStopSignals();
  trainyard::ConfigureLog("trainyard", "warn");
  return trainyard::cli::RunCommandLine(argc, argv);
}
