#include "coordinator/stream_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace trainyard::coordinator {
namespace {

// Notes what a reactor would be told.
struct FakeStream {
  std::vector<int> writes;
  std::vector<grpc::StatusCode> ends;
  StreamQueue<int>::Stream AsStream() {
    return {[this](const int* message) { writes.push_back(*message); },
            [this](const grpc::Status& status) { ends.push_back(status.error_code()); }};
  }
};

TEST(StreamQueueTest, OneWriteAtATimeInOrder) {
  FakeStream fake;
  StreamQueue<int> queue(4, fake.AsStream());
  EXPECT_TRUE(queue.Send(1));
  EXPECT_TRUE(queue.Send(2));
  EXPECT_EQ(fake.writes, std::vector<int>({1}));
  EXPECT_FALSE(queue.OnWriteDone(true));
  EXPECT_EQ(fake.writes, std::vector<int>({1, 2}));
  EXPECT_TRUE(queue.OnWriteDone(true));
}

TEST(StreamQueueTest, AFullQueueRefuses) {
  FakeStream fake;
  StreamQueue<int> queue(2, fake.AsStream());
  EXPECT_TRUE(queue.Send(1));
  EXPECT_TRUE(queue.Send(2));
  EXPECT_FALSE(queue.Send(3));
}

TEST(StreamQueueTest, CloseDrainsThenFinishesOnce) {
  FakeStream fake;
  StreamQueue<int> queue(4, fake.AsStream());
  queue.Send(1);
  queue.Send(2);
  queue.Close(grpc::Status::OK, /*drop=*/false);
  queue.Close(grpc::Status::CANCELLED, /*drop=*/true);
  EXPECT_FALSE(queue.Send(3));
  EXPECT_TRUE(fake.ends.empty());
  queue.OnWriteDone(true);
  queue.OnWriteDone(true);
  EXPECT_EQ(fake.ends, std::vector<grpc::StatusCode>({grpc::StatusCode::OK}));
  EXPECT_EQ(fake.writes, std::vector<int>({1, 2}));
}

TEST(StreamQueueTest, CloseWithDropFinishesAfterTheRunningWrite) {
  FakeStream fake;
  StreamQueue<int> queue(4, fake.AsStream());
  queue.Send(1);
  queue.Send(2);
  queue.Close(grpc::Status::CANCELLED, /*drop=*/true);
  queue.OnWriteDone(true);
  EXPECT_EQ(fake.writes, std::vector<int>({1}));
  EXPECT_EQ(fake.ends.size(), 1u);
}

TEST(StreamQueueTest, ABrokenWriteEndsTheStream) {
  FakeStream fake;
  StreamQueue<int> queue(4, fake.AsStream());
  queue.Send(1);
  queue.Send(2);
  EXPECT_FALSE(queue.OnWriteDone(false));
  EXPECT_EQ(fake.ends, std::vector<grpc::StatusCode>({grpc::StatusCode::CANCELLED}));
  EXPECT_FALSE(queue.Send(3));
}

}  // namespace
}  // namespace trainyard::coordinator
