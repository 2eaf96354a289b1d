#include "coordinator/session_table.h"

#include <gtest/gtest.h>

namespace trainyard::coordinator {
namespace {

struct FakeSink : SessionSink {
  void Send(const Order&) override { ++sent; }
  void Close(const absl::Status& status) override { closed = status; }
  int sent = 0;
  absl::Status closed;
};

TEST(SessionTableTest, OrdersReachTheirStreamOnly) {
  SessionTable sessions;
  const auto a = std::make_shared<FakeSink>();
  const auto b = std::make_shared<FakeSink>();
  const SessionId first = sessions.Add(a);
  const SessionId second = sessions.Add(b);
  EXPECT_NE(first, second);
  sessions.Send({first, EndAck{}});
  sessions.Remove(first);
  sessions.Send({first, EndAck{}});
  EXPECT_EQ(a->sent, 1);
  EXPECT_EQ(b->sent, 0);
  EXPECT_EQ(sessions.size(), 1u);
}

TEST(SessionTableTest, AfterCloseAllNewStreamsAreClosedToo) {
  SessionTable sessions;
  const auto old = std::make_shared<FakeSink>();
  sessions.Add(old);
  sessions.CloseAll(absl::UnavailableError("stops"));
  const auto late = std::make_shared<FakeSink>();
  sessions.Add(late);
  EXPECT_EQ(old->closed.message(), "stops");
  EXPECT_EQ(late->closed.message(), "stops");
}

}  // namespace
}  // namespace trainyard::coordinator
