#include "coordinator/log_stream.h"

#include <gtest/gtest.h>

#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

class LogStreamTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    const auto job = Submit(Named("a"), "r");
    ASSERT_TRUE(job.ok()) << job.status();
    id_ = job->id();
    ship_ = std::make_unique<ShipLine>(
        [&](grpc::ClientContext* context) { return agents_->ShipLogs(context); });
  }

  void Print(const std::string& task, uint64_t task_uid, int64_t offset, const std::string& text) {
    v1::LogShipment piece;
    piece.set_job_id(id_);
    piece.set_attempt(1);
    piece.set_task(task);
    piece.set_task_uid(task_uid);
    piece.set_offset(offset);
    piece.set_data(text);
    ASSERT_TRUE(ship_->Send(piece));
    v1::LogAck ack;
    ASSERT_TRUE(ship_->Next(&ack));
    EXPECT_EQ(ack.offset(), offset + static_cast<int64_t>(text.size()));
  }

  // Everything of a stream until it ends, by task.
  std::map<std::string, std::string> All(const v1::GetLogsRequest& request) {
    const auto logs = OpenLogs(request);
    std::map<std::string, std::string> text;
    v1::LogChunk chunk;
    while (logs->Next(&chunk)) text[chunk.task()] += chunk.data();
    EXPECT_TRUE(logs->Finish().ok());
    return text;
  }

  v1::GetLogsRequest Of(const std::string& task) {
    v1::GetLogsRequest request;
    request.set_job("a");
    request.set_attempt(1);
    request.set_task(task);
    return request;
  }

  std::string id_;
  std::unique_ptr<ShipLine> ship_;
};

using Texts = std::map<std::string, std::string>;

TEST_F(LogStreamTest, EveryTaskIsReadWhole) {
  const std::string piece(64 << 10, 'x');
  std::string large;
  Print("trainer/0", 1, 0, "one\n");
  for (; large.size() < 5 * piece.size(); large += piece) {
    Print("trainer/1", 2, static_cast<int64_t>(large.size()), piece);
  }
  Print("trainer/0", 1, 4, "two\n");
  const Texts all = All(Of(""));
  EXPECT_EQ(all.at("trainer/0"), "one\ntwo\n");
  EXPECT_TRUE(all.at("trainer/1") == large);
}

TEST_F(LogStreamTest, OneTaskIsReadFromAnOffset) {
  Print("trainer/0", 1, 0, "one\ntwo\n");
  Print("trainer/1", 2, 0, "other\n");
  v1::GetLogsRequest request = Of("trainer/0");
  request.set_offset(4);
  EXPECT_EQ(All(request), (Texts{{"trainer/0", "two\n"}}));
}

TEST_F(LogStreamTest, AFollowerSeesWhatIsPrintedLaterAndEndsWithTheJob) {
  Print("trainer/0", 1, 0, "one\n");
  v1::GetLogsRequest request = Of("");
  request.set_follow(true);
  const auto logs = OpenLogs(request);
  v1::LogChunk chunk;
  ASSERT_TRUE(logs->Next(&chunk));
  EXPECT_EQ(chunk.data(), "one\n");
  Print("trainer/0", 1, 4, "two\n");
  ASSERT_TRUE(logs->Next(&chunk));
  EXPECT_EQ(chunk.data(), "two\n");
  EXPECT_EQ(chunk.offset(), 4);
  ASSERT_TRUE(Cancel("a").ok());
  EXPECT_FALSE(logs->Next(&chunk));
  EXPECT_TRUE(logs->Finish().ok());
}

TEST_F(LogStreamTest, AJobThatIsNotThereIsNotFound) {
  v1::GetLogsRequest request;
  request.set_job("nobody");
  const auto logs = OpenLogs(request);
  v1::LogChunk chunk;
  EXPECT_FALSE(logs->Next(&chunk));
  const absl::Status status = logs->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rpc::DetailOf(status)->reason, "NO_SUCH_JOB");
}

}  // namespace
}  // namespace trainyard::coordinator
