#include "worker/weights_service.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/host_token.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/status.h"

namespace trainyard::worker {
namespace {

constexpr size_t kSmall = 100;
constexpr size_t kLarge = (5 << 19) + 7;  // 2.5 MiB and a bit

// Two tensors, each byte of them told apart from its neighbours.
std::shared_ptr<const PublishedWeights> Weights(int64_t version) {
  auto weights = std::make_shared<PublishedWeights>();
  weights->version = version;
  weights->tensors = {{.name = "small", .offset = 0, .size_bytes = kSmall},
                      {.name = "large", .offset = kSmall, .size_bytes = kLarge}};
  weights->memory = *SharedMemory::Create(kSmall + kLarge);
  for (size_t i = 0; i < kSmall + kLarge; ++i) {
    weights->memory->data()[i] = static_cast<char>((i * 2654435761u) >> 11);
  }
  weights->memory->LetReadersIn();
  return weights;
}

TEST(PublishedVersions, TheFirstSnapshotOfAVersionStays) {
  PublishedVersions versions;
  const auto first = Weights(1);
  versions.Add(first);
  versions.Add(Weights(1));
  EXPECT_EQ(*versions.Find(1), first);
}

TEST(PublishedVersions, AVersionThatIsNotThereIsRefusedWithThoseThatAre) {
  PublishedVersions versions;
  versions.Add(Weights(4));
  versions.Add(Weights(5));
  EXPECT_EQ(versions.Find(3).status(),
            absl::NotFoundError("policy version 3 is not published; published are: 4 5"));
}

TEST(PublishedVersions, ReleasedAreAVersionAndAllBeforeItAndWhoReadsOneKeepsIt) {
  PublishedVersions versions;
  for (const int64_t version : {4, 5, 6}) versions.Add(Weights(version));
  const auto read = *versions.Find(5);
  const std::weak_ptr<const PublishedWeights> unread = *versions.Find(4);
  versions.Release(5);
  EXPECT_FALSE(versions.Find(4).ok());
  EXPECT_FALSE(versions.Find(5).ok());
  EXPECT_TRUE(versions.Find(6).ok());
  EXPECT_TRUE(unread.expired());
  EXPECT_EQ(read->Bytes(read->tensors[1]).size(), kLarge);
}

class WeightsServiceTest : public ::testing::Test {
 protected:
  using Stub = v1::WeightsService::Stub;

  WeightsServiceTest() {
    versions_.Add(weights_);
    server_ = *rpc::Server::Start({}, {&service_});
    stub_ = v1::WeightsService::NewStub(rpc::OpenChannel(server_->endpoint()));
  }
  // All chunks, or the call's error.
  absl::StatusOr<std::vector<v1::WeightsChunk>> Fetch(const v1::FetchWeightsRequest& request) {
    grpc::ClientContext context;
    rpc::PrepareContext({.timeout = absl::Seconds(20)}, &context);
    const auto stream = stub_->Fetch(&context, request);
    std::vector<v1::WeightsChunk> chunks;
    while (stream->Read(&chunks.emplace_back())) {
    }
    chunks.pop_back();
    const absl::Status status = rpc::FromGrpc(stream->Finish(), context);
    if (!status.ok()) return status;
    return chunks;
  }
  static v1::FetchWeightsRequest RequestOf(int32_t tensor, int64_t offset, int64_t length) {
    v1::FetchWeightsRequest request;
    request.set_version(2);
    v1::WeightsRange* const range = request.add_ranges();
    range->set_tensor(tensor);
    range->set_offset(offset);
    range->set_length(length);
    return request;
  }
  std::string Bytes(int tensor) const {
    return std::string(weights_->Bytes(weights_->tensors[tensor]));
  }

  const std::shared_ptr<const PublishedWeights> weights_ = Weights(2);
  PublishedVersions versions_;
  WeightsService service_{&versions_};
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<Stub> stub_;
};

TEST_F(WeightsServiceTest, WithoutRangesAllBytesComeInChunksOfAtMostAMebibyte) {
  v1::FetchWeightsRequest request;
  request.set_version(2);
  const auto chunks = Fetch(request);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  EXPECT_EQ(chunks->size(), 4);
  std::string tensors[2];
  for (const v1::WeightsChunk& chunk : *chunks) {
    EXPECT_LE(chunk.data().size(), 1 << 20);
    EXPECT_EQ(chunk.offset(), static_cast<int64_t>(tensors[chunk.tensor()].size()));
    tensors[chunk.tensor()] += chunk.data();
  }
  EXPECT_TRUE(tensors[0] == Bytes(0));
  EXPECT_TRUE(tensors[1] == Bytes(1));
}

TEST_F(WeightsServiceTest, ARangeIsWhatWasAskedFor) {
  const int64_t offset = (1 << 20) - 3;
  const auto chunks = Fetch(RequestOf(1, offset, (1 << 20) + 5));
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  ASSERT_EQ(chunks->size(), 2);
  EXPECT_EQ((*chunks)[0].offset(), offset);
  EXPECT_EQ((*chunks)[1].offset(), offset + (1 << 20));
  EXPECT_TRUE((*chunks)[0].data() + (*chunks)[1].data() ==
              Bytes(1).substr(offset, (1 << 20) + 5));
  EXPECT_TRUE(Fetch(RequestOf(0, kSmall, 0)).ok()) << "nothing, at the end";
}

TEST_F(WeightsServiceTest, ARangeThatIsNotWithinItsTensorIsRefusedByName) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const v1::FetchWeightsRequest wrong[] = {
      RequestOf(0, 0, kSmall + 1), RequestOf(0, kSmall, 1), RequestOf(0, -1, 1),
      RequestOf(0, 1, -1),         RequestOf(2, 0, 0),      RequestOf(-1, 0, 0),
      RequestOf(0, kMost, kMost)};
  for (const v1::FetchWeightsRequest& request : wrong) {
    const absl::Status status = Fetch(request).status();
    EXPECT_TRUE(absl::IsOutOfRange(status)) << request.ShortDebugString() << status;
  }
  EXPECT_EQ(Fetch(wrong[1]).status().message(),
            "1 bytes from 100 on of tensor 0, which has 100; version 2 has 2 tensors");
}

TEST_F(WeightsServiceTest, AVersionThatIsNotPublishedIsNotFound) {
  const absl::Status status = Fetch({}).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
}

TEST_F(WeightsServiceTest, MemoryIsSharedWithProcessesOfThisHostAlone) {
  v1::OpenSharedRequest request;
  request.set_version(2);
  request.set_host_token(*HostToken());
  const auto shared = rpc::Call(*stub_, &Stub::OpenShared, request, {});
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ(shared->shm_name(), weights_->memory->name());
  EXPECT_EQ(shared->size_bytes(), static_cast<int64_t>(kSmall + kLarge));
  for (const char* token : {"", "another host"}) {
    request.set_host_token(token);
    const absl::Status status = rpc::Call(*stub_, &Stub::OpenShared, request, {}).status();
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
  }
}

}  // namespace
}  // namespace trainyard::worker
