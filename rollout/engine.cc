#include "rollout/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "rollout/best_of.h"
#include "rollout/row_independence.h"

namespace trainyard::rollout {
namespace {

constexpr int kLogitRows = 64;  // rows whose logits are in memory at once

KernelChoice ChooseKernels(const EngineOptions& options) {
  return {options.kernels != nullptr ? *options.kernels : kernels::BestFp32Kernels(),
          options.bf16_kernels != nullptr ? *options.bf16_kernels : kernels::BestBf16Kernels()};
}

int BlockCount(const model::ModelConfig& config, const EngineOptions& options) {
  const int64_t fitting =
      options.cache_bytes / (BlockFloats(config) * static_cast<int64_t>(sizeof(float)));
  const int64_t useful = int64_t{options.limits.max_running_sequences} *
                         (BlocksFor(static_cast<int>(config.max_positions)) + 1);
  return static_cast<int>(std::min(fitting, useful));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<const PackedModel> model,
                                                       EngineOptions options) {
  const int blocks = BlockCount(model->config, options);
  if (blocks < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("cache of ", options.cache_bytes, " bytes holds fewer than two blocks of ",
                     BlockFloats(model->config) * sizeof(float), " bytes"));
  }
  if (options.threads < 1 || options.limits.max_step_tokens < 1 ||
      options.limits.max_running_sequences < 1) {
    return absl::InvalidArgumentError("threads, step tokens and running sequences must be >= 1");
  }
  std::unique_ptr<Engine> engine(new Engine(std::move(model), std::move(options), blocks));
  TY_RETURN_IF_ERROR(CheckRowIndependence(*engine->model_, engine->kernels_, engine->threads_));
  return engine;
}

Engine::Engine(std::shared_ptr<const PackedModel> model, EngineOptions options, int blocks)
    : options_(std::move(options)),
      kernels_(ChooseKernels(options_)),
      model_(std::move(model)),
      threads_(options_.threads),
      pool_(blocks),
      runner_(model_->config, blocks, kernels_, threads_) {
  const int vocabulary = static_cast<int>(model_->config.vocab_size);
  for (int i = 0; i < options_.threads; ++i) samplers_.emplace_back(kernels_.fp32, vocabulary);
}

absl::Status Engine::CheckRoom(uint64_t ticket, int samples) const {
  int waiting = samples;
  for (const auto& sequence : sequences_) {
    if (sequence->ticket == ticket) {
      return absl::AlreadyExistsError(absl::StrCat("ticket ", ticket, " is in use"));
    }
    if (!sequence->running) waiting += sequence->width;
  }
  if (waiting > options_.max_waiting_sequences) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "queue is full: ", waiting - samples, " samples wait, the limit is ",
        options_.max_waiting_sequences, "; try again later or another server"));
  }
  return absl::OkStatus();
}

EngineLimits Engine::Limits() const {
  return {model_->config, options_.limits.max_running_sequences, pool_.total(),
          !options_.token_bytes.empty()};
}

absl::Status Engine::Add(GenerateRequest request) {
  TY_RETURN_IF_ERROR(CheckGenerate(request, Limits()));
  const int drawn = Drawn(request.sampling, request.n);
  TY_RETURN_IF_ERROR(CheckRoom(request.ticket, drawn));
  auto sequence = std::make_unique<Sequence>();
  sequence->ticket = request.ticket;
  sequence->tokens = request.prompt_ids;
  sequence->prompt_tokens = static_cast<int>(request.prompt_ids.size());
  sequence->sample = request.first_sample;
  sequence->width = drawn;
  sequence->model = model_;
  if (request.sampling.beam.width > 0) {
    sequence->search = std::make_shared<BeamSearch>(request.sampling.beam);
  }
  sequence->request = std::make_shared<const GenerateRequest>(std::move(request));
  sequences_.push_back(std::move(sequence));
  return absl::OkStatus();
}

absl::Status Engine::Add(ScoreRequest request) {
  request.sampling.max_new_tokens = std::max(request.sampling.min_new_tokens, 1);
  TY_RETURN_IF_ERROR(CheckScore(request, Limits()));
  TY_RETURN_IF_ERROR(CheckRoom(request.ticket, 1));
  auto sequence = std::make_unique<Sequence>();
  sequence->ticket = request.ticket;
  sequence->scoring = true;
  sequence->tokens = request.token_ids;
  sequence->prompt_tokens = request.begin;
  sequence->model = model_;
  sequence->score = std::make_shared<const ScoreRequest>(std::move(request));
  sequences_.push_back(std::move(sequence));
  return absl::OkStatus();
}

int Engine::Cancel(uint64_t ticket) {
  int answers = 0;
  sequences_.remove_if([&](const std::unique_ptr<Sequence>& sequence) {
    if (sequence->ticket != ticket) return false;
    const GenerateRequest* request = sequence->request.get();
    const bool of_more = request != nullptr && (request->sampling.best_of > request->n ||
                                                request->sampling.beam.width > 0);
    answers = of_more ? request->n : answers + sequence->width;
    ReleaseAll(pool_, sequence->blocks);
    return true;
  });
  drawn_.erase(ticket);
  return answers;
}

int Engine::AbortAll(const absl::Status& why) {
  const size_t before = result_.completions.size() + result_.scores.size();
  for (auto& sequence : sequences_) Finish(*sequence, FinishReason::kAborted, why);
  EraseFinished();
  return static_cast<int>(result_.completions.size() + result_.scores.size() - before);
}

absl::Status Engine::Swap(std::shared_ptr<const PackedModel> model) {
  if (!model::SameComputation(model->config, model_->config) ||
      model->products != model_->products) {
    return absl::InvalidArgumentError(
        "the new weights have another model configuration or compute type");
  }
  int finishing = 0;
  for (const auto& sequence : sequences_) finishing += sequence->model != model_;
  if (finishing > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(finishing, " sequences still finish on the version before ", model_->version,
                     ": swap again when they have ended"));
  }
  const absl::Status aborted = absl::AbortedError(absl::StrCat(
      "policy version ", model_->version, " was replaced by ", model->version));
  for (auto& sequence : sequences_) {
    const OnSwap mode = sequence->scoring ? OnSwap::kFinishOld : sequence->request->on_swap;
    if (mode == OnSwap::kContinueNew) {
      Restart(*sequence);
      sequence->model = model;
    } else if (mode == OnSwap::kAbortPartial) {
      Finish(*sequence, FinishReason::kAborted, aborted);
    }
  }
  EraseFinished();
  model_ = std::move(model);
  return absl::OkStatus();
}

Plan Engine::MakePlan(absl::Duration now, absl::Span<Sequence* const> order) const {
  std::vector<SequenceLengths> lengths;
  lengths.reserve(order.size());
  const Sequence* previous = nullptr;
  for (const Sequence* sequence : order) {
    SequenceLengths entry;
    entry.joined = sequence->search != nullptr && previous != nullptr &&
                   sequence->search == previous->search;
    previous = sequence;
    entry.running = sequence->running;
    entry.tokens = sequence->wanted();
    entry.computed = sequence->computed;
    entry.width = sequence->width;
    entry.held_blocks = static_cast<int>(sequence->blocks.size());
    entry.exclusive_blocks = FreedBlocks(*sequence, entry.joined);
    const int tail = sequence->computed / kBlockTokens;
    entry.shared_tail =
        tail < entry.held_blocks && pool_.references(sequence->blocks[tail]) > 1;
    entry.deadline = sequence->deadline();
    lengths.push_back(entry);
  }
  return Schedule({lengths, pool_.free(), now}, options_.limits);
}

void Engine::Restart(Sequence& sequence) {
  ReleaseAll(pool_, sequence.blocks);
  sequence.computed = 0;
  sequence.running = false;
  sequence.ranked.clear();
}

void Engine::Apply(const Plan& plan, absl::Span<Sequence* const> order) {
  for (int index : plan.expired) {
    Finish(*order[index], FinishReason::kAborted,
           absl::DeadlineExceededError(absl::StrCat("the request's deadline passed after ",
                                                    order[index]->new_tokens(), " new tokens")));
  }
  for (int index : plan.preempted) Restart(*order[index]);
  for (int index : plan.admitted) order[index]->running = true;
  preemptions_ += static_cast<int64_t>(plan.preempted.size());
  result_.wait_reason = plan.wait_reason;
}

StepResult Engine::Step(absl::Duration now) {
  std::vector<Sequence*> order;
  order.reserve(sequences_.size());
  for (const auto& sequence : sequences_) order.push_back(sequence.get());
  const Plan plan = MakePlan(now, order);
  Apply(plan, order);
  // At most two models at a time: the present one and the one that sequences still finish on.
  std::vector<PlannedRun> present, old;
  for (const PlannedRun& run : plan.runs) {
    (order[run.sequence]->model == model_ ? present : old).push_back(run);
  }
  if (!old.empty()) RunModel(order[old[0].sequence]->model, old, order);
  if (!present.empty()) RunModel(model_, present, order);
  EraseFinished();
  return std::exchange(result_, StepResult());
}

void Engine::RunModel(std::shared_ptr<const PackedModel> model, absl::Span<const PlannedRun> runs,
                      absl::Span<Sequence* const> order) {
  Batch batch;
  for (const PlannedRun& run : runs) AddRows(*order[run.sequence], run.tokens, &batch);
  result_.computed_tokens += static_cast<int>(batch.token_ids.size());
  runner_.Run(*model, {batch.token_ids, batch.positions, batch.sequences, batch.tables});
  ReadLogits(*model, batch);
}

void Engine::AddRows(Sequence& sequence, int count, Batch* batch) {
  const auto copy = Reserve(pool_, sequence.blocks, {sequence.computed, count});
  if (copy.has_value()) runner_.CopyBlock(*copy);
  const int32_t table = static_cast<int32_t>(batch->tables.size());
  batch->tables.push_back(&sequence.blocks);
  const int last = static_cast<int>(sequence.tokens.size()) - 1;
  for (int position = sequence.computed; position < sequence.computed + count; ++position) {
    const int32_t row = static_cast<int32_t>(batch->token_ids.size());
    batch->token_ids.push_back(sequence.tokens[position]);
    batch->positions.push_back(position);
    batch->sequences.push_back(table);
    if (sequence.scoring && position + 1 >= sequence.prompt_tokens) {
      batch->logit_rows.push_back({&sequence, row, sequence.tokens[position + 1],
                                   position + 1 - sequence.prompt_tokens});
    } else if (!sequence.scoring && position == last) {
      batch->logit_rows.push_back({&sequence, row, 0, sequence.new_tokens()});
    }
  }
  sequence.computed += count;
}

void Engine::ReadLogits(const PackedModel& model, const Batch& batch) {
  const int64_t vocabulary = model.config.vocab_size;
  const absl::Span<const LogitRow> all(batch.logit_rows);
  for (size_t first = 0; first < all.size(); first += kLogitRows) {
    const auto rows = all.subspan(first, kLogitRows);
    std::vector<int32_t> run_rows;
    for (const LogitRow& row : rows) run_rows.push_back(row.run_row);
    logits_MV_.resize(rows.size() * vocabulary);
    runner_.Logits(model, run_rows, logits_MV_.data());
    std::vector<RowOutcome> outcomes(rows.size());
    threads_.ForEach(static_cast<int>(rows.size()), [&](int i, int thread) {
      outcomes[i] = ReadRow(rows[i], samplers_[thread], logits_MV_.data() + i * vocabulary);
    });
    for (size_t i = 0; i < rows.size(); ++i) Postprocess(rows[i], std::move(outcomes[i]));
  }
}

Engine::RowOutcome Engine::ReadRow(const LogitRow& row, Sampler& sampler, float* logits_V) const {
  const Sequence& sequence = *row.sequence;
  const absl::Span<const int32_t> tokens(sequence.tokens);
  const TokenHistory history = {tokens.subspan(0, sequence.prompt_tokens),
                                tokens.subspan(sequence.prompt_tokens, row.position)};
  RowOutcome outcome;
  if (sequence.scoring) {
    auto score = sampler.Score(sequence.score->sampling, history, row.token, logits_V);
    outcome.status = score.status();
    if (score.ok()) outcome.logprob = *score;
    return outcome;
  }
  const GenerateRequest& request = *sequence.request;
  if (sequence.search != nullptr) {
    auto ranked = sampler.Rank(request.sampling, history, BeamSearch::Candidates(request.sampling),
                               logits_V);
    outcome.status = ranked.status();
    if (ranked.ok()) outcome.ranked = *std::move(ranked);
    return outcome;
  }
  std::vector<DrawKey> draws;
  for (int i = 0; i < sequence.width; ++i) {
    draws.push_back({request.seed, request.row, sequence.sample + i, row.position});
  }
  auto choices = sampler.Choose(request.sampling, draws, history, logits_V);
  outcome.status = choices.status();
  if (choices.ok()) outcome.choices = *std::move(choices);
  return outcome;
}

void Engine::Postprocess(const LogitRow& row, RowOutcome outcome) {
  Sequence& sequence = *row.sequence;
  if (sequence.finished) return;
  if (!outcome.status.ok()) {
    const absl::Status error = Annotate(
        outcome.status, absl::StrCat("policy version ", sequence.model->version));
    Finish(sequence, FinishReason::kAborted, error);
  } else if (sequence.search != nullptr) {
    sequence.ranked = std::move(outcome.ranked);
    AdvanceBeams(sequence);
  } else if (!sequence.scoring) {
    result_.new_tokens += sequence.width;
    ForkSamples(sequence, outcome.choices);
  } else {
    sequence.scored.push_back(outcome.logprob);
    if (sequence.scored.size() + sequence.prompt_tokens == sequence.tokens.size()) {
      Finish(sequence, FinishReason::kLength, absl::OkStatus());
    }
  }
}

void Engine::ForkSamples(Sequence& leader, absl::Span<const TokenChoice> choices) {
  std::vector<Sequence*> samples = {&leader};
  if (leader.width > 1) {
    auto place = std::find_if(sequences_.begin(), sequences_.end(),
                              [&](const auto& entry) { return entry.get() == &leader; });
    ++place;
    for (int i = 1; i < leader.width; ++i) {
      auto sample = std::make_unique<Sequence>(leader);
      sample->sample = leader.sample + i;
      sample->width = 1;
      sample->blocks = Fork(pool_, leader.blocks);
      samples.push_back(sample.get());
      sequences_.insert(place, std::move(sample));
    }
    leader.width = 1;
  }
  for (size_t i = 0; i < samples.size(); ++i) Accept(*samples[i], choices[i]);
}

AnswerEnd Engine::EndRule(const Sequence& sequence) const {
  return {sequence.request->sampling, options_.token_bytes,
          MostNewTokens(*sequence.request, sequence.model->config)};
}

void Engine::Accept(Sequence& sequence, const TokenChoice& choice) {
  sequence.tokens.push_back(choice.id);
  AppendToken(&sequence.result, choice, sequence.model->version);
  if (sequence.request->stream) {
    result_.deltas.push_back(
        {sequence.ticket, sequence.request->row, sequence.sample, {choice.id}});
  }
  const std::optional<FinishReason> end =
      EndOf(EndRule(sequence), choice.id, sequence.new_tokens(), &sequence.text_tail);
  if (end.has_value()) Finish(sequence, *end, absl::OkStatus());
}

void Engine::Finish(Sequence& sequence, FinishReason reason, const absl::Status& error) {
  if (sequence.finished) return;
  if (sequence.search != nullptr) {
    GiveBeams(sequence, error);
    return;
  }
  sequence.finished = true;
  ReleaseAll(pool_, sequence.blocks);
  if (sequence.scoring) {
    result_.scores.push_back(
        {sequence.ticket, error, std::move(sequence.scored), sequence.model->version});
    return;
  }
  Completion result = std::move(sequence.result);
  result.finish = reason;
  result.error = error;
  for (int i = 0; i < sequence.width; ++i) {
    result.sample = sequence.sample + i;
    Give(*sequence.request, result);
  }
}

void Engine::Give(const GenerateRequest& request, Completion result) {
  result.ticket = request.ticket;
  result.row = request.row;
  if (request.sampling.best_of <= request.n) {
    result_.completions.push_back(std::move(result));
    return;
  }
  std::vector<Completion>& samples = drawn_[request.ticket];
  samples.push_back(std::move(result));
  if (static_cast<int>(samples.size()) < request.sampling.best_of) return;
  for (Completion& best : KeepBest(std::move(samples), request.n)) {
    result_.completions.push_back(std::move(best));
  }
  drawn_.erase(request.ticket);
}

void Engine::EraseFinished() {
  sequences_.remove_if([](const std::unique_ptr<Sequence>& s) { return s->finished; });
}

EngineLoad Engine::Load() const {
  EngineLoad load;
  for (const auto& sequence : sequences_) {
    (sequence->running ? load.running : load.waiting) += sequence->width;
  }
  load.free_blocks = pool_.free();
  load.total_blocks = pool_.total();
  load.preemptions = preemptions_;
  return load;
}

}  // namespace trainyard::rollout
