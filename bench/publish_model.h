// A model to publish, without torch in sight.

#ifndef TRAINYARD_BENCH_PUBLISH_MODEL_H_
#define TRAINYARD_BENCH_PUBLISH_MODEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/published_weights.h"

namespace trainyard {

// GPT-2 small (124M) with random weights, in fp32.
class PublishModel {
 public:
  static absl::StatusOr<std::unique_ptr<PublishModel>> Create();
  ~PublishModel();

  // Writes it as a Hugging Face directory.
  absl::Status Save(const std::string& directory) const;
  // A snapshot in shared memory, as a learner makes it.
  absl::StatusOr<std::shared_ptr<const worker::PublishedWeights>> Publish(int64_t version) const;

 private:
  struct State;
  explicit PublishModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trainyard

#endif  // TRAINYARD_BENCH_PUBLISH_MODEL_H_
