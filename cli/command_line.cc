#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <vector>

#include "base/version.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

constexpr char kAbout[] =
    "Trainyard trains language models as a service: pretraining, supervised fine-tuning,\n"
    "reward models and PPO, submitted as jobs to a coordinator.\n"
    "First steps: trainyard up --slots 4, then trainyard submit examples/specs/fake.yaml";

void AddGlobals(CLI::App& app, Globals* globals) {
  app.add_option("--coordinator", globals->coordinator, "HOST:PORT of the coordinator");
  app.add_option("--context", globals->context,
                 "a named coordinator of ~/.config/trainyard/config.yaml");
  app.add_option("-o,--output", globals->output, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv) {
  Globals globals;
  CLI::App app(kAbout, "trainyard");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  AddGlobals(app, &globals);
  for (auto* add : {AddUp,      AddSubmit,   AddGet,    AddDescribe, AddList,      AddWatch,
                    AddWait,    AddLogs,     AddCancel, AddRetry,    AddPause,     AddResume,
                    AddScale,   AddNodes,    AddCordon, AddDrain,    AddArtifacts, AddEvents,
                    AddMetrics, AddGenerate, AddEval,   AddExport,   AddTokenize,  AddContext}) {
    add(app, &globals);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::vector<std::string> verbs;
    for (const CLI::App* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
    const std::string unknown = UnknownVerb({argv + 1, argv + argc}, verbs);
    if (!unknown.empty()) {
      std::cerr << "trainyard: " << unknown << "\nwhat to do: trainyard --help lists the verbs\n";
      return kExitUsage;
    }
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return globals.exit_code;
}

}  // namespace trainyard::cli
