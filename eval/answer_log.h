// Progress of a generation that survives kill -9: each row is durable before it counts.

#ifndef TRAINYARD_EVAL_ANSWER_LOG_H_
#define TRAINYARD_EVAL_ANSWER_LOG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "eval/answer.h"

namespace trainyard::eval {

struct AnswerLogOptions {
  std::string run_directory;
  uint64_t epoch = 0;  // this attempt writes beneath <run>/e<epoch>/ only
  std::string name;    // one log per name: "answers", "answers-sft"
  // Of everything an answer depends on: a log of another identity is refused.
  std::string identity;
};

// <run>/e<epoch>/<name>.progress.jsonl: a line with the identity, then a line per row. A new
// attempt reads the logs of all attempts before it and writes its own, so that an old attempt that
// is still alive can harm nothing. Owned by one thread.
class AnswerLog {
 public:
  // Reads what earlier attempts have finished; a torn last line is what the crash left, and is
  // dropped. FailedPrecondition when a log has another identity (the prompts changed). DataLoss
  // when a line that is not the last is no row.
  static absl::StatusOr<std::unique_ptr<AnswerLog>> Open(const AnswerLogOptions& options);
  ~AnswerLog();
  AnswerLog(const AnswerLog&) = delete;
  AnswerLog& operator=(const AnswerLog&) = delete;

  // Rows finished so far, by number.
  const std::map<int64_t, AnsweredRow>& rows() const { return rows_; }

  // Appends rows and returns when they are on disk. ResourceExhausted when it is full; then none of
  // them counts.
  absl::Status Append(absl::Span<const AnsweredRow> rows,
                      const std::function<const data::Prompt&(int64_t row)>& prompt_of);

 private:
  explicit AnswerLog(int fd) : fd_(fd) {}

  const int fd_;
  std::map<int64_t, AnsweredRow> rows_;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_ANSWER_LOG_H_
