#include "rollout/weights_client.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/host_token.h"
#include "rollout/wire.h"
#include "tests/rollout/fake_weights_service.h"

namespace trainyard::rollout {
namespace {

TEST(WeightsClient, OpensSharedMemoryOnlyOnTheSameHost) {
  const Published published = Publish(TinyLlama(), 1, 1);
  const FakeWeightsService learner(published, true);
  const WeightsManifest manifest = ReadManifest(learner.Manifest());
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  WeightsClient here({std::nullopt, *HostToken()}), elsewhere({std::nullopt, "another host"});
  const auto shared = here.OpenShared(manifest, deadline);
  ASSERT_TRUE(shared.ok()) << shared.status();
  ASSERT_NE(*shared, nullptr);
  EXPECT_EQ((*shared)->bytes(), published.bytes);
  const auto refused = elsewhere.OpenShared(manifest, deadline);
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(*refused, nullptr);
}

TEST(WeightsClient, SharedBytesAreLockedAgainstTheirOwnerAsLongAsTheyAreHeld) {
  const FakeWeightsService learner(Publish(TinyLlama(), 1, 1), true);
  const WeightsManifest manifest = ReadManifest(learner.Manifest());
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  WeightsClient client({std::nullopt, *HostToken()});
  EXPECT_TRUE(learner.CanWrite());
  for (int i = 0; i < 2; ++i) {  // the second time from the kept mapping
    auto shared = client.OpenShared(manifest, deadline);
    ASSERT_TRUE(shared.ok() && *shared != nullptr);
    EXPECT_FALSE(learner.CanWrite());
    shared->reset();
    EXPECT_TRUE(learner.CanWrite());
  }
}

TEST(WeightsClient, MemoryThatIsBeingWrittenIsNotRead) {
  const FakeWeightsService learner(Publish(TinyLlama(), 1, 1), true);
  const WeightsManifest manifest = ReadManifest(learner.Manifest());
  WeightsClient client({std::nullopt, *HostToken()});
  const auto writing = learner.StartWriting();
  const auto shared = client.OpenShared(manifest, absl::Now() + absl::Seconds(20));
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ(*shared, nullptr);
}

class StringSink : public WeightsSink {
 public:
  absl::Status Put(int tensor, int64_t offset, absl::string_view bytes) override {
    if (tensor != 1) return absl::InvalidArgumentError("tensor 1 was asked for");
    received.replace(offset, bytes.size(), bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  std::string received = std::string(100, '\0');
};

TEST(WeightsClient, FetchesTheRangesThatWereAsked) {
  const Published published = Publish(TinyLlama(), 1, 1);
  const FakeWeightsService learner(published, false);
  const WeightsManifest manifest = ReadManifest(learner.Manifest());
  WeightsClient client({std::nullopt, ""});
  StringSink sink;
  const absl::Status status = client.Fetch(manifest, 0, {{1, 0, 60}, {1, 60, 40}}, sink,
                                           absl::Now() + absl::Seconds(20));
  ASSERT_TRUE(status.ok()) << status;
  const int64_t begin = *TensorBytes(manifest.tensors[0]);
  EXPECT_EQ(sink.received, published.bytes.substr(begin, 100));
  EXPECT_FALSE(
      client.Fetch(manifest, 0, {{0, 0, 60}}, sink, absl::Now() + absl::Seconds(20)).ok());
}

}  // namespace
}  // namespace trainyard::rollout
