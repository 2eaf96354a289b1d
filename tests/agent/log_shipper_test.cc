#include "agent/log_shipper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/status.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "tests/support/process.h"

namespace trainyard::agent {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);

// Keeps what is shipped, as a coordinator does: by offset, each byte once.
class LogSink final : public v1::AgentService::Service {
 public:
  grpc::Status ShipLogs(grpc::ServerContext*,
                        grpc::ServerReaderWriter<v1::LogAck, v1::LogShipment>* stream) override {
    v1::LogShipment shipment;
    while (stream->Read(&shipment)) {
      v1::LogAck ack;
      {
        absl::MutexLock lock(&mutex_);
        if (refusals_ > 0) {
          --refusals_;
          return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full"};
        }
        std::string& kept = kept_[shipment.task_uid()];
        largest_ = std::max(largest_, shipment.data().size());
        const size_t end = shipment.offset() + shipment.data().size();
        if (shipment.offset() > kept.size()) kept.resize(shipment.offset(), '.');
        if (end > kept.size()) kept += shipment.data().substr(kept.size() - shipment.offset());
        ack.set_task_uid(shipment.task_uid());
        ack.set_offset(kept.size());
      }
      stream->Write(ack);
    }
    return grpc::Status::OK;
  }

  std::string kept(uint64_t uid) {
    absl::MutexLock lock(&mutex_);
    return kept_[uid];
  }
  size_t largest() {
    absl::MutexLock lock(&mutex_);
    return largest_;
  }
  void Keep(uint64_t uid, const std::string& bytes) {
    absl::MutexLock lock(&mutex_);
    kept_[uid] = bytes;
  }
  void Refuse(int times) {
    absl::MutexLock lock(&mutex_);
    refusals_ = times;
  }

 private:
  absl::Mutex mutex_;
  std::map<uint64_t, std::string> kept_ ABSL_GUARDED_BY(mutex_);
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t largest_ ABSL_GUARDED_BY(mutex_) = 0;
};

class LogShipperTest : public ::testing::Test {
 protected:
  LogShipperTest() {
    auto server = rpc::Server::Start({}, {&sink_});
    TY_CHECK(server.ok());
    server_ = *std::move(server);
    shipper_ = std::make_unique<LogShipper>(rpc::OpenChannel(server_->endpoint()),
                                            [this](uint64_t) { done_.Notify(); });
  }
  ~LogShipperTest() override { shipper_.reset(); }

  void Append(const std::string& text) {
    std::ofstream(dir_.File("output"), std::ios::app) << text;
  }
  void Add(bool of_earlier_agent = false) {
    shipper_->Add({7, "job-a", 1, "trainer/0", dir_.File("output"), of_earlier_agent});
  }
  bool Keeps(const std::string& text) {
    return testing::WaitUntil(kLong, [&] { return sink_.kept(7) == text; });
  }

  testing::TempDir dir_;
  LogSink sink_;
  std::unique_ptr<rpc::Server> server_;
  absl::Notification done_;
  std::unique_ptr<LogShipper> shipper_;
};

TEST_F(LogShipperTest, ShipsAFileAsItGrows) {
  Add();
  Append("one\n");
  EXPECT_TRUE(Keeps("one\n"));
  Append("two\n");
  EXPECT_TRUE(Keeps("one\ntwo\n"));
}

TEST_F(LogShipperTest, IsDoneWhenTheLastByteOfAFinishedTaskIsKept) {
  Add();
  Append("last words\n");
  shipper_->Finish(7);
  EXPECT_TRUE(done_.WaitForNotificationWithTimeout(kLong));
  EXPECT_EQ(sink_.kept(7), "last words\n");
}

TEST_F(LogShipperTest, BytesThatWereRefusedComeAgain) {
  sink_.Refuse(2);
  Add();
  Append("stubborn\n");
  EXPECT_TRUE(Keeps("stubborn\n"));
}

TEST_F(LogShipperTest, MuchOutputGoesInPiecesAndItsBlocksAreFreed) {
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += std::to_string(i) + "\n";
  Append(text);
  Add();
  shipper_->Finish(7);
  EXPECT_TRUE(done_.WaitForNotificationWithTimeout(kLong));
  EXPECT_EQ(sink_.kept(7), text);
  EXPECT_LE(sink_.largest(), 64 << 10);
  struct stat status = {};
  ASSERT_EQ(stat(dir_.File("output").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, text.size());
  EXPECT_LT(status.st_blocks * 512, status.st_size / 2);
}

TEST_F(LogShipperTest, WhatIsThereAtTheEndIsStillShipped) {
  Add();
  Append("goodbye\n");
  shipper_.reset();
  EXPECT_EQ(sink_.kept(7), "goodbye\n");
}

TEST_F(LogShipperTest, WhatAnEarlierAgentDidNotShipFollowsWhatItShipped) {
  Append("shipped\nnot shipped\n");
  sink_.Keep(7, "SHIPPED\n");
  sink_.Refuse(1);
  Add(/*of_earlier_agent=*/true);
  shipper_->Finish(7);
  EXPECT_TRUE(done_.WaitForNotificationWithTimeout(kLong));
  EXPECT_EQ(sink_.kept(7), "SHIPPED\nnot shipped\n");
}

TEST_F(LogShipperTest, BytesThatWereFreedAreNotShippedAsZeros) {
  // The coordinator's logs were removed since; the first half of the file was freed.
  std::string text(64 << 10, 'a');
  text += std::string(64 << 10, 'b');
  Append(text);
  const int fd = open(dir_.File("output").c_str(), O_RDWR);
  const int punched =
      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 64 << 10);
  close(fd);
  if (punched != 0) GTEST_SKIP() << "this file system has no holes";
  Add(/*of_earlier_agent=*/true);
  shipper_->Finish(7);
  EXPECT_TRUE(done_.WaitForNotificationWithTimeout(kLong));
  EXPECT_EQ(sink_.kept(7), std::string(64 << 10, '.') + std::string(64 << 10, 'b'));
}

TEST_F(LogShipperTest, WithoutACoordinatorItEndsInTime) {
  server_.reset();
  Add();
  Append("nobody hears\n");
  const absl::Time begin = absl::Now();
  shipper_.reset();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(15));
}

}  // namespace
}  // namespace trainyard::agent
