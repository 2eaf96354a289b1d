#include "eval/task_run.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/status.h"
#include "eval/answer_log.h"
#include "eval/collector.h"
#include "eval/token_scores.h"
#include "tokenizer/utf8.h"

namespace trainyard::eval {
namespace {

const char* NameOf(TaskKind kind) {
  return kind == TaskKind::kExactMatch ? "exact_match" : "multiple_choice";
}

void Count(bool right, Measured* measured) {
  measured->numerators.push_back(right ? 1 : 0);
  measured->denominators.push_back(1);
}

// "3 of 20 prompts lost their front": what a reader of a share should know; nothing for none.
void Tell(int64_t count, size_t all, absl::string_view what, std::string* detail) {
  if (count == 0) return;
  absl::StrAppend(detail, detail->empty() ? "" : "; ", count, " of ", all, " ", what);
}

int64_t Characters(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
}

// The first of the greatest.
size_t Greatest(const std::vector<double>& values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TaskRun>> TaskRun::Load(const TaskRunParts& parts) {
  std::unique_ptr<TaskRun> run(new TaskRun(parts));
  for (const TaskJob& job : parts.job.tasks) {
    auto rule = AnswerRule::Create(job);
    if (!rule.ok()) return Annotate(rule.status(), absl::StrCat("task \"", job.name, "\""));
    TY_ASSIGN_OR_RETURN(std::vector<TaskItem> items, LoadTaskItems(job));
    run->tasks_.push_back({job, *std::move(rule), std::move(items), {}});
    run->tasks_.back().results.resize(parts.job.models.size());
    for (const ModelText& text : parts.texts) {
      TY_RETURN_IF_ERROR(TaskTokens::Create(job, parts.job.prompts.chat_template, text).status());
    }
  }
  return run;
}

absl::Status TaskRun::Run() {
  std::vector<absl::Status> statuses(parts_.job.models.size());
  std::vector<std::thread> threads;
  for (size_t model = 0; model < statuses.size(); ++model) {
    threads.emplace_back(
        [this, model, &statuses] { statuses[model] = RunModel(static_cast<int>(model)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) TY_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

absl::Status TaskRun::RunModel(int model) {
  for (Task& task : tasks_) {
    const absl::Status status = task.job.kind == TaskKind::kMultipleChoice
                                    ? PoseChoices(task, model)
                                    : PosePrompts(task, model);
    if (!status.ok()) {
      return Annotate(status, absl::StrCat("task \"", task.job.name, "\", model \"",
                                           parts_.job.models[model].name, "\""));
    }
  }
  return absl::OkStatus();
}

void TaskRun::Report(const char* phase) {
  task::Progress progress;
  progress.phase = phase;
  progress.step = ++steps_;
  parts_.session->Report(progress);
}

absl::Status TaskRun::PoseChoices(Task& task, int model) {
  TY_ASSIGN_OR_RETURN(
      TaskTokens tokens,
      TaskTokens::Create(task.job, parts_.job.prompts.chat_template, parts_.texts[model]));
  std::vector<ScoredSequence> sequences;
  for (const TaskItem& item : task.items) {
    TY_ASSIGN_OR_RETURN(std::vector<ScoredSequence> choices, tokens.Choices(item));
    std::move(choices.begin(), choices.end(), std::back_inserter(sequences));
  }
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<RolloutClient> client, parts_.client_of(model));
  TokenScorer scorer(client.get(), [this] { Report("score"); });
  TY_ASSIGN_OR_RETURN(const std::vector<double> sums, scorer.Score(sequences, nullptr));
  Result& result = task.results[model];
  auto next = sums.begin();
  for (const TaskItem& item : task.items) {
    const std::vector<double> logprobs(next, next + item.choices.size());
    next += item.choices.size();
    std::vector<double> normed;
    for (size_t i = 0; i < logprobs.size(); ++i) {
      if (!std::isfinite(logprobs[i])) {
        return absl::InternalError(
            absl::StrCat(item.place, ": the log-likelihood of choice ", i, " is not finite"));
      }
      normed.push_back(logprobs[i] / static_cast<double>(Characters(item.choices[i])));
    }
    const size_t pick = Greatest(logprobs), pick_norm = Greatest(normed);
    Count(pick == item.right, &result.right);
    Count(pick_norm == item.right, &result.right_norm);
    result.picks.push_back({{"pick", pick},
                            {"pick_norm", pick_norm},
                            {"right", item.right},
                            {"correct", pick == item.right},
                            {"correct_norm", pick_norm == item.right},
                            {"loglikelihoods", logprobs}});
  }
  Tell(tokens.items_cut(), task.items.size(), "prompts lost their front to the context",
       &result.right.detail);
  result.right_norm.detail = result.right.detail;
  return absl::OkStatus();
}

absl::Status TaskRun::PosePrompts(Task& task, int model) {
  const ModelText& text = parts_.texts[model];
  TY_ASSIGN_OR_RETURN(TaskTokens tokens,
                      TaskTokens::Create(task.job, parts_.job.prompts.chat_template, text));
  CollectorOptions options;
  options.tokenizer = text.tokenizer.get();
  options.tokenizer_sha256 = text.tokenizer_sha256;
  TY_ASSIGN_OR_RETURN(options.sampling, tokens.HowToAnswer(task.rule));
  options.rollout_index = model;
  std::vector<data::Prompt> prompts;
  std::string identity = absl::StrCat(Describe(options.sampling), ";",
                                      parts_.job.models[model].digest, ";", text.tokenizer_sha256);
  for (const TaskItem& item : task.items) {
    TY_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokens.Prompt(item));
    absl::StrAppend(&identity, ";", absl::StrJoin(ids, ","));
    prompts.push_back({item.row, std::move(ids), item.context, item.json});
  }
  std::vector<const data::Prompt*> asked;
  for (const data::Prompt& prompt : prompts) asked.push_back(&prompt);
  const AnswerLogOptions log_options{parts_.place.directory, parts_.place.epoch,
                                     absl::StrCat("task-", &task - tasks_.data(), "-model-", model),
                                     Sha256Hex(identity)};
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<AnswerLog> log, AnswerLog::Open(log_options));
  Collector collector(parts_.session, parts_.assignment.Fence(), options);
  TY_RETURN_IF_ERROR(collector.Run(asked, log.get(), [this](const Collector::Progress& now) {
    Report(now.waiting ? "waiting_rollout" : "generate");
  }));

  Result& result = task.results[model];
  int64_t without = 0, unfinished = 0;
  for (const TaskItem& item : task.items) {
    const Answer& given = log->rows().at(item.row).answers.at(0);
    auto extracted = task.rule.Extract(given.text);
    if (!extracted.ok()) return Annotate(extracted.status(), item.place);
    const bool right = extracted->has_value() && task.rule.IsRight(**extracted, item.target);
    without += !extracted->has_value();
    unfinished += given.finish == Finish::kLength;
    Count(right, &result.right);
    result.picks.push_back({{"answer", extracted->has_value() ? Json(**extracted) : Json(nullptr)},
                            {"target", item.target},
                            {"correct", right},
                            {"text", given.text}});
  }
  const size_t all = task.items.size();
  Tell(tokens.items_cut(), all, "prompts lost their front to the context", &result.right.detail);
  Tell(without, all, "answers lack the answer_pattern", &result.right.detail);
  Tell(unfinished, all, "answers were cut at max_new_tokens", &result.right.detail);
  return absl::OkStatus();
}

void TaskRun::AddMetrics(std::vector<MetricOfModels>* metrics) const {
  for (const Task& task : tasks_) {
    MetricOfModels right{task.job.name, {}}, norm{task.job.name + "_norm", {}};
    for (size_t model = 0; model < task.results.size(); ++model) {
      const std::string& name = parts_.job.models[model].name;
      right.by_model[name] = task.results[model].right;
      norm.by_model[name] = task.results[model].right_norm;
    }
    metrics->push_back(std::move(right));
    if (task.job.kind == TaskKind::kMultipleChoice) metrics->push_back(std::move(norm));
  }
}

Json TaskRun::Summary() const {
  Json summary = Json::array();
  for (const Task& task : tasks_) {
    summary.push_back({{"name", task.job.name},
                       {"kind", NameOf(task.job.kind)},
                       {"items", task.items.size()},
                       {"shots", task.job.shots}});
  }
  return summary;
}

std::string TaskRun::Picks() const {
  std::string lines;
  for (const Task& task : tasks_) {
    for (size_t i = 0; i < task.items.size(); ++i) {
      for (size_t model = 0; model < task.results.size(); ++model) {
        Json line = task.results[model].picks[i];
        line["task"] = task.job.name;
        line["item"] = task.items[i].row;
        line["model"] = parts_.job.models[model].name;
        absl::StrAppend(&lines, line.dump(), "\n");
      }
    }
  }
  return lines;
}

}  // namespace trainyard::eval
