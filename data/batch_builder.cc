#include "data/batch_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/random.h"
#include "base/status.h"
#include "data/packing.h"
#include "data/pass_plan.h"

namespace trainyard::data {
namespace {

absl::Status CheckOptions(const BatchOptions& options, const RankOptions& rank) {
  const auto refuse = [](absl::string_view what, double value, absl::string_view limits) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is ", value, ", must be ", limits));
  };
  if (options.packs_per_step < 1) return refuse("packs_per_step", options.packs_per_step, ">= 1");
  if (options.micro_batch_tokens < 1) {
    return refuse("micro_batch_tokens", options.micro_batch_tokens, ">= 1");
  }
  if (options.micro_batch_packs < 0) {
    return refuse("micro_batch_packs", options.micro_batch_packs, ">= 0 (0: no limit)");
  }
  if (options.group_size < 2 || options.group_size > 9) {
    return refuse("group_size", options.group_size, "2 .. 9");
  }
  if (!(options.min_rating_gap >= 0)) {
    return refuse("min_rating_gap", options.min_rating_gap, ">= 0");
  }
  if (!(options.token_dropout >= 0 && options.token_dropout < 1)) {
    return refuse("token_dropout", options.token_dropout, "0 <= p < 1");
  }
  if (rank.world_size < 1 || rank.rank < 0 || rank.rank >= rank.world_size) {
    return refuse("rank", rank.rank, absl::StrCat("0 .. ", rank.world_size - 1));
  }
  return absl::OkStatus();
}

PassPlanOptions PlanOptions(const BatchOptions& options, bool in_file_order) {
  PassPlanOptions plan;
  plan.in_file_order = in_file_order;
  plan.isolate_documents = options.isolate_documents;
  plan.pack_samples = options.pack_samples;
  plan.group_size = options.group_size;
  plan.min_rating_gap = options.min_rating_gap;
  plan.token_dropout = options.token_dropout;
  plan.dropout_id = options.dropout_id;
  return plan;
}

// Packs of one optimizer step on their way into this rank's micro-batches. A step may take packs of
// two passes, so each is read with its own plan.
class StepAssembler {
 public:
  StepAssembler(const Dataset& dataset, const BatchOptions& options)
      : options_(options), builder_(dataset.bytes_of_id()) {}

  void Add(const PassPlan& plan, const Pack& pack) {
    const bool too_many_tokens = builder_.token_count() + pack.tokens > options_.micro_batch_tokens;
    const bool too_many_packs =
        options_.micro_batch_packs > 0 && packs_ >= options_.micro_batch_packs;
    if (packs_ > 0 && (too_many_tokens || too_many_packs)) Close();
    plan.Append(pack, &builder_);
    ++packs_;
  }

  std::vector<MicroBatch> Finish() {
    if (packs_ > 0) Close();
    return std::move(micro_batches_);
  }

 private:
  void Close() {
    micro_batches_.push_back(builder_.Take());
    packs_ = 0;
  }

  const BatchOptions& options_;
  MicroBatchBuilder builder_;
  int64_t packs_ = 0;
  std::vector<MicroBatch> micro_batches_;
};

std::vector<int32_t> Owners(const std::vector<Pack>& packs, int32_t world_size) {
  std::vector<int64_t> costs;
  for (const Pack& pack : packs) costs.push_back(pack.tokens);
  return DealByCost(costs, world_size);
}

}  // namespace

// The pass that is being read, and the window of it that was packed last.
struct BatchBuilder::OpenPass {
  int64_t pass = -1;
  std::shared_ptr<const PassPlan> plan;
  int64_t window = -1;
  std::vector<Pack> packs;
};

BatchBuilder::BatchBuilder(const Dataset& dataset, const BatchOptions& options,
                           const RankOptions& rank)
    : dataset_(dataset), options_(options), rank_(rank), open_(std::make_unique<OpenPass>()) {
  fingerprint_ = Xxh3Hex(absl::StrCat(dataset.fingerprint(), ";", options.seed, ";",
                                      options.pack_samples, ";", options.group_size));
  key_ = DeriveKey(options.seed, fingerprint_);
}

BatchBuilder::~BatchBuilder() = default;

absl::StatusOr<std::unique_ptr<BatchBuilder>> BatchBuilder::Create(const Dataset& dataset,
                                                                   const BatchOptions& options,
                                                                   const RankOptions& rank) {
  TY_RETURN_IF_ERROR(CheckOptions(options, rank));
  std::unique_ptr<BatchBuilder> builder(new BatchBuilder(dataset, options, rank));
  TY_RETURN_IF_ERROR(builder->OpenWindow(0, 0));
  return builder;
}

DataCursor BatchBuilder::Start() const {
  DataCursor cursor;
  cursor.fingerprint = fingerprint_;
  return cursor;
}

absl::Status BatchBuilder::CheckCursor(const DataCursor& cursor) const {
  if (cursor.fingerprint == fingerprint_) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the data, its order or the tokenizer has changed since the checkpoint: its cursor has "
      "fingerprint ",
      cursor.fingerprint, ", this job's data ", fingerprint_,
      "; restore the files, or start a new job with init_from"));
}

absl::Status BatchBuilder::OpenWindow(int64_t pass, int64_t window) {
  if (open_->pass != pass) {
    open_->plan = MakePassPlan(dataset_, PlanOptions(options_, false), key_, pass);
    open_->pass = pass;
    open_->window = -1;
  }
  if (open_->plan->window_count() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pass ", pass, " over the data holds not one whole ",
        dataset_.spec().objective == Objective::kRewardModel
            ? "group of ranked answers"
            : absl::StrCat("window of max_length = ", dataset_.spec().max_tokens, " tokens"),
        ": give more data"));
  }
  if (window >= open_->plan->window_count()) {
    return absl::OutOfRangeError(absl::StrCat("window ", window, " of pass ", pass, ", which has ",
                                              open_->plan->window_count(), " windows"));
  }
  if (open_->window == window) return absl::OkStatus();
  open_->packs = open_->plan->Window(window);
  open_->window = window;
  return absl::OkStatus();
}

absl::StatusOr<TrainBatch> BatchBuilder::Build(const DataCursor& cursor) {
  TY_RETURN_IF_ERROR(CheckCursor(cursor));
  TrainBatch batch;
  batch.step = cursor.step;
  DataCursor at = cursor;
  std::vector<Pack> packs;
  std::vector<std::shared_ptr<const PassPlan>> plans;
  while (packs.size() < options_.packs_per_step) {
    TY_RETURN_IF_ERROR(OpenWindow(at.pass, at.window));
    const int64_t available = static_cast<int64_t>(open_->packs.size());
    if (at.pack >= available) {
      return absl::OutOfRangeError(absl::StrCat("pack ", at.pack, " of window ", at.window,
                                                ", which has ", available, " packs"));
    }
    packs.push_back(open_->packs[at.pack]);
    plans.push_back(open_->plan);
    if (++at.pack < available) continue;
    at.pack = 0;
    if (++at.window < open_->plan->window_count()) continue;
    at.window = 0;
    ++at.pass;
  }
  ++at.step;
  batch.cursor_after = at;
  const std::vector<int32_t> owners = Owners(packs, rank_.world_size);
  StepAssembler assembler(dataset_, options_);
  for (size_t i = 0; i < packs.size(); ++i) {
    batch.global_units += packs[i].units;
    batch.global_tokens += packs[i].tokens;
    batch.global_segments += packs[i].segments;
    if (owners[i] == rank_.rank) assembler.Add(*plans[i], packs[i]);
  }
  batch.micro_batches = assembler.Finish();
  return batch;
}

absl::StatusOr<int64_t> BatchBuilder::StepsIn(double passes) {
  if (!(passes > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("passes is ", passes, ", must be > 0"));
  }
  int64_t packs = 0;
  for (int64_t pass = 0; pass < passes; ++pass) {
    TY_RETURN_IF_ERROR(OpenWindow(pass, 0));
    const std::shared_ptr<const PassPlan> plan = open_->plan;
    int64_t packs_of_pass = 0;
    for (int64_t window = 0; window < plan->window_count(); ++window) {
      packs_of_pass += static_cast<int64_t>(plan->Window(window).size());
    }
    const double share = std::min(1.0, passes - static_cast<double>(pass));
    packs += std::llround(share * static_cast<double>(packs_of_pass));
  }
  return packs / options_.packs_per_step;
}

absl::StatusOr<std::vector<MicroBatch>> BatchBuilder::ValidationMicroBatches() {
  const std::unique_ptr<PassPlan> plan =
      MakePassPlan(dataset_, PlanOptions(options_, true), key_, 0);
  std::vector<Pack> packs;
  for (int64_t window = 0; window < plan->window_count(); ++window) {
    for (Pack& pack : plan->Window(window)) packs.push_back(std::move(pack));
  }
  const std::vector<int32_t> owners = Owners(packs, rank_.world_size);
  StepAssembler assembler(dataset_, options_);
  for (size_t i = 0; i < packs.size(); ++i) {
    if (owners[i] == rank_.rank) assembler.Add(*plan, packs[i]);
  }
  return assembler.Finish();
}

}  // namespace trainyard::data
