#include "eval/eval_run.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/status.h"
#include "eval/answer_log.h"
#include "eval/collector.h"
#include "eval/output.h"
#include "eval/prompts.h"
#include "eval/task_run.h"
#include "eval/token_scores.h"

namespace trainyard::eval {
namespace {

constexpr absl::Duration kFinishTimeout = absl::Minutes(10);
constexpr absl::Duration kPeerTimeout = absl::Minutes(10);
constexpr size_t kSamplesShown = 50;

// One run of an eval job, from its answers to its report. Owned by main's thread.
class EvalRun {
 public:
  EvalRun(const EvalJob& job, const task::Assignment& assignment, task::TaskSession* session)
      : job_(job), assignment_(assignment), session_(session) {}

  absl::Status Run() {
    TY_ASSIGN_OR_RETURN(place_, PlaceOf(assignment_));
    TY_RETURN_IF_ERROR(Load());
    TY_RETURN_IF_ERROR(CollectAll());
    TY_RETURN_IF_ERROR(ScoreTokens());
    TY_RETURN_IF_ERROR(tasks_->Run());
    VerdictInput input;
    input.gates = job_.gates;
    input.bootstrap = job_.bootstrap;
    for (const ModelPlace& model : job_.models) {
      input.models.push_back(model.name);
      if (model.baseline) input.baseline = model.name;
    }
    TY_RETURN_IF_ERROR(MeasureAnswers(&input));
    TY_RETURN_IF_ERROR(MeasureTexts(&input));
    tasks_->AddMetrics(&input.metrics);
    Report("finish", static_cast<int64_t>(prepared_.prompts.size() * job_.models.size()));
    TY_ASSIGN_OR_RETURN(Json report, Verdict(input));
    report["models"] = input.models;
    report["baseline"] = input.baseline.has_value() ? Json(*input.baseline) : Json(nullptr);
    report["prompts"] = prepared_.prompts.size();
    report["samples"] = Samples();
    std::vector<FileBeside> beside;
    if (!job_.tasks.empty()) {
      report["tasks"] = tasks_->Summary();
      beside.push_back({"tasks.jsonl", tasks_->Picks()});
    }
    const OutputFile output{"report", "report", "report.json", report.dump(2) + "\n"};
    TY_ASSIGN_OR_RETURN(const task::Artifact artifact,
                        WriteOutput(place_, output, {{"passed", report["passed"]}}, beside));
    return session_->FinishJob({artifact}, kFinishTimeout);
  }

 private:
  bool HasPrompts() const { return !job_.prompts.sources.empty(); }

  void Report(const std::string& phase, int64_t step) {
    task::Progress progress;
    progress.phase = phase;
    progress.step = step;
    if (phase == "generate") progress.tokens_per_second = tokens_per_second_;
    progress.total_steps = static_cast<int64_t>(prepared_.prompts.size() * job_.models.size());
    session_->Report(progress);
  }

  // Texts, prompts and the files of metrics: whatever can be wrong is found before a token is
  // drawn.
  absl::Status Load() {
    for (const ModelPlace& model : job_.models) {
      TY_ASSIGN_OR_RETURN(texts_.emplace_back(), LoadModelText(model.directory, model.directory));
      if (texts_.back().tokenizer_sha256 != texts_[0].tokenizer_sha256 && HasPrompts()) {
        return absl::FailedPreconditionError(
            absl::StrCat("models \"", job_.models[0].name, "\" and \"", model.name,
                         "\" have different tokenizers: their answers can not be compared"));
      }
    }
    for (size_t i = 0; i < job_.models.size(); ++i) {
      if (job_.models[i].baseline) baseline_ = static_cast<int>(i);
    }
    for (const MetricJob& metric : job_.metrics) TY_RETURN_IF_ERROR(LoadMetric(metric));
    TY_ASSIGN_OR_RETURN(tasks_, TaskRun::Load({job_, texts_, assignment_, place_, session_,
                                               [this](int model) { return ClientOf(model); }}));
    if (!HasPrompts()) return absl::OkStatus();
    ModelText shortest = texts_[0];
    for (const ModelText& text : texts_) {
      shortest.context_tokens = std::min(shortest.context_tokens, text.context_tokens);
    }
    TY_ASSIGN_OR_RETURN(prepared_, PreparePrompts(job_.prompts, shortest));
    return absl::OkStatus();
  }

  absl::Status LoadMetric(const MetricJob& job) {
    Metric metric;
    metric.name = job.name;
    metric.kind = job.kind;
    const bool needs_baseline =
        job.kind == MetricKind::kPerplexityUnder || job.kind == MetricKind::kKlToBaseline;
    if (needs_baseline && !baseline_.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("metric \"", job.name, "\" needs a model marked as baseline"));
    }
    if (job.kind == MetricKind::kReward && !job_.scored) {
      return absl::InvalidArgumentError(
          absl::StrCat("metric \"", job.name, "\" needs eval.reward"));
    }
    if (job.kind == MetricKind::kNaiveBayes) {
      TY_ASSIGN_OR_RETURN(const std::vector<LabelledText> labelled, LoadLabelledTexts(job.path));
      TY_ASSIGN_OR_RETURN(NaiveBayes judge, NaiveBayes::Train(labelled));
      Log().info("judge \"{}\": {} lines, {} features", job.name, judge.examples(),
                 judge.features());
      judges_.push_back(std::make_unique<NaiveBayes>(std::move(judge)));
      metric.judge = judges_.back().get();
    } else if (!job.path.empty()) {
      TY_ASSIGN_OR_RETURN(Lexicon lexicon, Lexicon::Load(job.path));
      lexicons_.push_back(std::make_unique<Lexicon>(std::move(lexicon)));
      metric.lexicon = lexicons_.back().get();
    }
    metrics_.push_back(metric);
    return absl::OkStatus();
  }

  // The models answer at the same time, each on its own rollout task.
  absl::Status CollectAll() {
    if (!HasPrompts()) return absl::OkStatus();
    std::vector<absl::Status> statuses(job_.models.size());
    answers_.resize(job_.models.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < job_.models.size(); ++i) {
      threads.emplace_back([this, i, &statuses] { statuses[i] = Collect(i); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& status : statuses) TY_RETURN_IF_ERROR(status);
    return absl::OkStatus();
  }

  absl::Status Collect(size_t model) {
    const ModelPlace& place = job_.models[model];
    AnswerLogOptions log_options{place_.directory, place_.epoch,
                                 absl::StrCat("answers-", place.name), ""};
    log_options.identity = Sha256Hex(
        absl::StrCat(prepared_.source->fingerprint(), ";", Describe(prepared_.sampling), ";",
                     place.digest, ";", texts_[0].tokenizer_sha256, ";", job_.scored));
    TY_ASSIGN_OR_RETURN(const std::unique_ptr<AnswerLog> log, AnswerLog::Open(log_options));
    CollectorOptions options;
    options.tokenizer = texts_[0].tokenizer.get();
    options.tokenizer_sha256 = texts_[0].tokenizer_sha256;
    options.sampling = prepared_.sampling;
    options.rollout_index = static_cast<int>(model);
    options.scored = job_.scored;
    Collector collector(session_, assignment_.Fence(), options);
    int64_t counted = 0;
    TY_RETURN_IF_ERROR(collector.Run(prepared_.prompts, log.get(), [&](const auto& now) {
      rows_done_ += now.rows - counted;
      counted = now.rows;
      tokens_per_second_ = now.tokens_per_second;
      Report(now.waiting ? "waiting_rollout" : "generate", rows_done_);
    }));
    answers_[model].model = place.name;
    for (const data::Prompt* prompt : prepared_.prompts) {
      answers_[model].rows.push_back(log->rows().at(prompt->row));
      answers_[model].references.push_back(ReferenceOf(*prompt));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<RolloutClient>> ClientOf(int model) {
    const auto find = [model](const task::PeerSnapshot& peers) {
      const std::vector<task::Peer> ready = peers.Ready("rollout");
      return std::find_if(ready.begin(), ready.end(), [model](const task::Peer& peer) {
               return peer.index == model;
             }) != ready.end();
    };
    TY_ASSIGN_OR_RETURN(const task::PeerSnapshot peers, session_->WaitForPeers(find, kPeerTimeout));
    for (const task::Peer& peer : peers.Ready("rollout")) {
      if (peer.index == model) {
        return std::make_unique<RolloutClient>(peer.endpoint, assignment_.Fence());
      }
    }
    return PeerLostError(absl::StrCat("rollout/", model, " is gone"));
  }

  // What the baseline thinks of everybody's answers.
  absl::Status ScoreTokens() {
    bool perplexity = false, kl = false;
    for (const Metric& metric : metrics_) {
      perplexity = perplexity || metric.kind == MetricKind::kPerplexityUnder;
      kl = kl || metric.kind == MetricKind::kKlToBaseline;
    }
    if (!HasPrompts() || (!perplexity && !kl)) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(const std::unique_ptr<RolloutClient> client, ClientOf(*baseline_));
    TokenScorer scorer(client.get(), [this] { Report("score", ++scored_requests_); });
    for (ModelAnswers& answers : answers_) {
      if (perplexity) {
        TY_ASSIGN_OR_RETURN(answers.baseline_logprob,
                            scorer.ScoreAnswers(answers.rows, prepared_.prompts, nullptr));
      }
      if (kl) {
        TY_ASSIGN_OR_RETURN(
            answers.baseline_sampled_logprob,
            scorer.ScoreAnswers(answers.rows, prepared_.prompts, &prepared_.sampling));
      }
    }
    return absl::OkStatus();
  }

  absl::Status MeasureAnswers(VerdictInput* input) {
    if (!HasPrompts()) return absl::OkStatus();
    for (const Metric& metric : metrics_) {
      MetricOfModels of_models{metric.name, {}};
      for (const ModelAnswers& answers : answers_) {
        TY_ASSIGN_OR_RETURN(of_models.by_model[answers.model], Measure(metric, answers));
      }
      input->metrics.push_back(std::move(of_models));
    }
    return absl::OkStatus();
  }

  absl::Status MeasureTexts(VerdictInput* input) {
    if (job_.text.empty()) return absl::OkStatus();
    MetricOfModels perplexity{"text_perplexity", {}}, bits{"bits_per_byte", {}};
    for (size_t i = 0; i < job_.models.size(); ++i) {
      TY_ASSIGN_OR_RETURN(const TextDocuments documents,
                          ReadTextDocuments(job_.text, *texts_[i].tokenizer));
      TY_ASSIGN_OR_RETURN(const std::unique_ptr<RolloutClient> client,
                          ClientOf(static_cast<int>(i)));
      TokenScorer scorer(client.get(), [this] { Report("score", ++scored_requests_); });
      TY_ASSIGN_OR_RETURN(TextMeasures measures, MeasureText(documents, texts_[i], &scorer));
      perplexity.by_model[job_.models[i].name] = std::move(measures.perplexity);
      bits.by_model[job_.models[i].name] = std::move(measures.bits_per_byte);
    }
    input->metrics.push_back(std::move(perplexity));
    input->metrics.push_back(std::move(bits));
    return absl::OkStatus();
  }

  // The first rows, not picked: each prompt with every model's first answer.
  Json Samples() const {
    Json samples = Json::array();
    for (size_t row = 0; row < std::min(prepared_.prompts.size(), kSamplesShown); ++row) {
      Json texts = Json::object();
      for (const ModelAnswers& answers : answers_) {
        texts[answers.model] = answers.rows[row].answers[0].text;
      }
      samples.push_back({{"prompt", prepared_.prompts[row]->text}, {"answers", std::move(texts)}});
    }
    return samples;
  }

  const EvalJob& job_;
  const task::Assignment& assignment_;
  task::TaskSession* const session_;
  RunPlace place_;
  std::vector<ModelText> texts_;  // by model
  std::optional<int> baseline_;   // its index
  std::vector<std::unique_ptr<Lexicon>> lexicons_;
  std::vector<std::unique_ptr<NaiveBayes>> judges_;
  std::vector<Metric> metrics_;
  PreparedPrompts prepared_;
  std::unique_ptr<TaskRun> tasks_;
  std::vector<ModelAnswers> answers_;  // by model; each written by its own collecting thread
  std::atomic<int64_t> rows_done_ = 0;
  std::atomic<double> tokens_per_second_ = 0;
  int64_t scored_requests_ = 0;
};

}  // namespace

absl::Status RunEval(const EvalJob& job, const task::Assignment& assignment,
                     task::TaskSession* session) {
  return EvalRun(job, assignment, session).Run();
}

}  // namespace trainyard::eval
