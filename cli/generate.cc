#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/artifact_copy.h"
#include "cli/chat.h"
#include "cli/local_cluster.h"
#include "cli/model_template.h"
#include "cli/run_job.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct GenerateOptions {
  std::string model;
  std::vector<std::string> prompts;
  std::string file;
  int64_t limit = 0;
  SamplingFlags sampling;
  std::vector<std::string> roots;
  bool chat = false;
  std::string system;
  bool answer_limited = false;  // --max-new-tokens was given
};

absl::StatusOr<v1::JobSpec> SpecOf(const GenerateOptions& options, const Roots& roots,
                                   Client& client) {
  if (options.file.empty() == options.prompts.empty()) {
    return absl::InvalidArgumentError("give prompts as texts, or one --file of them");
  }
  v1::JobSpec spec;
  v1::GenerateSpec* generate = spec.mutable_generate();
  TY_ASSIGN_OR_RETURN(*generate->mutable_model(), FindFile(client, options.model));
  TY_ASSIGN_OR_RETURN(*generate->mutable_sampling(), SamplingOf(options.sampling));
  generate->set_limit(options.limit);
  TY_ASSIGN_OR_RETURN(const auto chat_template, ChooseTemplate(options.sampling.chat_template,
                                                               options.model, roots, client));
  if (chat_template.has_value()) *generate->mutable_chat_template() = *chat_template;
  v1::DataSource* source = generate->add_prompts();
  if (!options.file.empty()) {
    TY_ASSIGN_OR_RETURN(*source->mutable_file(), FindFile(client, options.file));
  } else {
    TY_ASSIGN_OR_RETURN(*source->mutable_file(), StorePrompts(options.prompts, roots));
  }
  return spec;
}

absl::Status PrintAnswers(const std::string& rows) {
  for (absl::string_view line : absl::StrSplit(rows, '\n', absl::SkipEmpty())) {
    TY_ASSIGN_OR_RETURN(const Json row, ParseJson(line, "answers.jsonl"));
    std::cout << "> " << row.value("prompt", "") << "\n";
    for (const Json& answer : row.value("answers", Json::array())) {
      std::cout << answer.value("text", "") << "\n";
    }
    std::cout << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<ChatOptions> ChatOf(const GenerateOptions& options) {
  if (!options.file.empty() || options.limit != 0) {
    return absl::InvalidArgumentError(
        "--file and --limit are not for --chat: messages are texts or lines of standard input");
  }
  ChatOptions chat;
  chat.model = options.model;
  chat.chat_template = options.sampling.chat_template;
  chat.system = options.system;
  chat.messages = options.prompts;
  TY_ASSIGN_OR_RETURN(chat.sampling, SamplingOf(options.sampling));
  if (!options.answer_limited) chat.sampling.set_max_new_tokens(0);
  return chat;
}

absl::StatusOr<int> Generate(const Globals& globals, const GenerateOptions& options) {
  TY_ASSIGN_OR_RETURN(Client client, Connect(globals));
  TY_ASSIGN_OR_RETURN(const Roots roots, RootsOf(client.address(), options.roots));
  if (options.chat) {
    TY_ASSIGN_OR_RETURN(const ChatOptions chat, ChatOf(options));
    return Chat(globals, chat, roots, client);
  }
  if (!options.system.empty()) {
    return absl::InvalidArgumentError("--system is only for --chat");
  }
  TY_ASSIGN_OR_RETURN(const v1::JobSpec spec, SpecOf(options, roots, client));
  int exit_code = kExitOk;
  const auto job = RunJob(client, spec, &exit_code);
  if (absl::IsAborted(job.status()) && exit_code != kExitOk) return exit_code;
  TY_RETURN_IF_ERROR(job.status());
  TY_ASSIGN_OR_RETURN(const std::string rows,
                      ReadOutput(*job, "answers", "answers.jsonl", roots));
  if (globals.output == "json") {
    std::cout << rows;  // JSON lines
  } else {
    TY_RETURN_IF_ERROR(PrintAnswers(rows));
  }
  return kExitOk;
}

}  // namespace

void AddGenerate(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "generate",
                           "Run a generate job from flags and print its answers; --chat: talk",
                           "trainyard generate my-sft/model 'continue: the film was' --n 2");
  const auto options = std::make_shared<GenerateOptions>();
  verb->add_option("MODEL", options->model, "root://NAME/path, JOB/OUTPUT or PIPELINE/STAGE/OUTPUT")
      ->required();
  verb->add_option("PROMPT", options->prompts, "texts");
  verb->add_option("--file", options->file,
                   "JSONL of prompts (also .gz or .zst): root://NAME/path or JOB/OUTPUT");
  verb->add_option("--limit", options->limit, "only the first so many rows of the file");
  AddSamplingFlags(verb, &options->sampling);
  verb->add_flag("--chat", options->chat,
                 "talk: PROMPTs are messages, without any a line of standard input is one; answers "
                 "are as long as the model's context lasts unless --max-new-tokens is given");
  verb->add_option("--system", options->system, "with --chat: what stands before everything");
  verb->add_option("--root", options->roots,
                   "NAME=DIRECTORY where a root is mounted here (known for `trainyard up`)")
      ->allow_extra_args(false);
  SetBody(verb, globals, [globals, options, verb] {
    options->answer_limited = verb->count("--max-new-tokens") > 0;
    return Generate(*globals, *options);
  });
}

}  // namespace trainyard::cli
