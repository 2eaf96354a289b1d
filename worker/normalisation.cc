#include "worker/normalisation.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "model/catch_torch.h"
#include "worker/micro_batch_tensors.h"
#include "worker/step.h"

namespace trainyard::worker {
namespace {

// Of the mean: scores that are closer differ by the rounding of fp32 alone.
constexpr double kLeastDeviation = 1e-6;

// The answers of a row that count.
absl::StatusOr<std::vector<std::string>> Answers(const data::Row& row, bool finished_only) {
  if (row.response.has_value()) return std::vector<std::string>{*row.response};
  if (row.answers.empty()) return data::MissingField(row, "answers");
  TY_ASSIGN_OR_RETURN(const Json json, ParseJson(row.json, "row"));
  const auto list = json.find("answers");
  std::vector<std::string> answers;
  for (size_t i = 0; i < row.answers.size(); ++i) {
    std::string finish = "end";
    if (list != json.end() && i < list->size() && (*list)[i].contains("finish_reason")) {
      finish = (*list)[i]["finish_reason"].get<std::string>();
    }
    if (!finished_only || finish != "length") answers.push_back(row.answers[i].text);
  }
  return answers;
}

void Append(const tokenizer::RenderedChat& chat, int64_t micro_batch_tokens,
            std::vector<data::MicroBatch>* batches) {
  const auto tokens = static_cast<int64_t>(chat.ids.size());
  if (batches->empty() || batches->back().token_count() + tokens > micro_batch_tokens) {
    batches->emplace_back().segment_offsets.push_back(0);
  }
  data::MicroBatch& batch = batches->back();
  for (int64_t i = 0; i < tokens; ++i) {
    batch.token_ids_N.push_back(chat.ids[i]);
    batch.positions_N.push_back(static_cast<int32_t>(i));
  }
  batch.segment_offsets.push_back(static_cast<int32_t>(batch.token_count()));
}

}  // namespace

absl::StatusOr<std::vector<data::MicroBatch>> ReferenceMicroBatches(
    const data::SourceSpec& source, const tokenizer::ChatTemplate& chat_template,
    const ReferenceOptions& options) {
  std::vector<data::MicroBatch> batches;
  const auto visit = [&](const data::Row& row) -> absl::Status {
    TY_ASSIGN_OR_RETURN(const std::vector<std::string> answers,
                        Answers(row, options.finished_only));
    for (const std::string& answer : answers) {
      std::vector<tokenizer::ChatMessage> messages = row.messages;
      messages.push_back({"assistant", answer});
      TY_ASSIGN_OR_RETURN(const tokenizer::RenderedChat chat, chat_template.Render(messages));
      if (static_cast<int64_t>(chat.ids.size()) > options.max_tokens) continue;
      Append(chat, options.micro_batch_tokens, &batches);
    }
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(data::ReadRows(source, visit).status());
  if (batches.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source.name, ": no finished answer of at most ", options.max_tokens,
        " tokens to fit the normalisation on"));
  }
  return batches;
}

absl::StatusOr<model::ModelCard::Normalisation> FitNormalisation(
    const model::Model& model, const std::vector<data::MicroBatch>& micro_batches, bool dealt,
    collective::Group* group) {
  c10::NoGradGuard no_grad;
  std::vector<double> scores;
  for (size_t m = 0; m < micro_batches.size(); ++m) {
    if (dealt && static_cast<int>(m % group->world_size()) != group->rank()) continue;
    TY_ASSIGN_OR_RETURN(const model::PackedTokens packed, PackMicroBatch(model, micro_batches[m]));
    TY_RETURN_IF_ERROR(model::CatchTorch("reference scores", [&] {
      const at::Tensor scores_G =
          model::ScalarScores(model, model::Forward(model, packed), LastRows(packed))
              .to(at::kCPU, at::kDouble).contiguous();
      const auto* begin = scores_G.const_data_ptr<double>();
      scores.insert(scores.end(), begin, begin + scores_G.numel());
    }));
  }
  std::vector<double> sums = {static_cast<double>(scores.size()),
                              std::accumulate(scores.begin(), scores.end(), 0.0)};
  TY_RETURN_IF_ERROR(SumDoubles(group, &sums));
  model::ModelCard::Normalisation fitted;
  fitted.samples = static_cast<int64_t>(sums[0]);
  if (fitted.samples < 2) {
    return absl::FailedPreconditionError(absl::StrCat(
        "normalisation needs at least 2 reference answers, there are ", fitted.samples));
  }
  fitted.mean = sums[1] / sums[0];
  // From the mean, not as a difference of large sums: what rounding leaves of equal scores would
  // pass for a deviation.
  std::vector<double> squares = {0};
  for (const double score : scores) squares[0] += (score - fitted.mean) * (score - fitted.mean);
  TY_RETURN_IF_ERROR(SumDoubles(group, &squares));
  fitted.deviation = std::sqrt(squares[0] / sums[0]);
  const double least = kLeastDeviation * std::abs(fitted.mean);
  if (!(fitted.deviation > least) || !std::isfinite(fitted.deviation)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the scores of ", fitted.samples, " reference answers have deviation ", fitted.deviation,
        ", must be > ", least, " (mean ", fitted.mean, "): the model tells no answers apart"));
  }
  return fitted;
}

}  // namespace trainyard::worker
