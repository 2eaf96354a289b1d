// A conversation with a served model: on a terminal, line by line from a pipe, or with messages
// given.

#ifndef TRAINYARD_CLI_CHAT_H_
#define TRAINYARD_CLI_CHAT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/roots.h"
#include "cli/client.h"
#include "cli/verb.h"
#include "trainyard/v1/config.pb.h"

namespace trainyard::cli {

struct ChatOptions {
  std::string model;                  // as FindFile takes it
  std::string chat_template;          // empty: the model's own
  std::string system;                 // before everything; may be empty
  std::vector<std::string> messages;  // one turn each; empty: lines of standard input
  v1::SamplingSpec sampling;          // max_new_tokens 0: as long as the context lasts
};

// Serves the model with a job of its own, talks, and cancels the job. Answers go to standard
// output, all else to standard error. On a terminal and in a pipe a line is a message, "/system
// TEXT" says what stands before everything, "/reset" forgets, "/exit" or the end of the input ends.
// Ctrl-C (blocked in main, base/shutdown.h) stops an answer; between answers it ends the chat.
absl::StatusOr<int> Chat(const Globals& globals, const ChatOptions& options, const Roots& roots,
                         Client& client);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_CHAT_H_
