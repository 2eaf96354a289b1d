#include "collective/store.h"

#include <gtest/gtest.h>

#include <thread>

namespace trainyard::collective {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

TEST(Store, CarriesValuesFromTheHostToOthers) {
  auto host = Store::Host("127.0.0.1", "job-a/1", kPatience);
  ASSERT_TRUE(host.ok()) << host.status();
  auto guest = Store::Connect((*host)->endpoint(), "job-a/1", kPatience);
  ASSERT_TRUE(guest.ok()) << guest.status();
  EXPECT_FALSE(*(*guest)->Has("colour"));
  std::thread later([&] { EXPECT_TRUE((*host)->Set("colour", "blue").ok()); });
  const auto value = (*guest)->Get("colour", kPatience);
  later.join();
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, "blue");
  EXPECT_EQ(*(*guest)->Add("count", 2), 2);
  EXPECT_EQ(*(*host)->Add("count", 3), 5);
}

TEST(Store, ListensWhereTheFirewallIsOpen) {
  auto taken = Store::Host("127.0.0.1", "job-a/1", kPatience);
  ASSERT_TRUE(taken.ok()) << taken.status();
  const std::string endpoint = (*taken)->endpoint();
  const int port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
  const auto none = Store::Host("127.0.0.1", "job-b/1", kPatience, {port, port});
  EXPECT_TRUE(absl::IsUnavailable(none.status())) << none.status();
  EXPECT_NE(none.status().message().find("task_ports"), absl::string_view::npos);
  const PortRange range{port, std::min(port + 50, 65535)};
  const auto next = Store::Host("127.0.0.1", "job-b/1", kPatience, range);
  ASSERT_TRUE(next.ok()) << next.status();
  const std::string other = (*next)->endpoint();
  EXPECT_GT(std::stoi(other.substr(other.rfind(':') + 1)), port);
}

TEST(Store, AttemptsOfOneJobNeverMeet) {
  auto host = Store::Host("127.0.0.1", "job-a/1", kPatience);
  ASSERT_TRUE(host.ok());
  auto stale = Store::Connect((*host)->endpoint(), "job-a/0", kPatience);
  ASSERT_TRUE(stale.ok());
  ASSERT_TRUE((*host)->Set("here/0", "x").ok());
  EXPECT_FALSE(*(*stale)->Has("here/0"));
}

TEST(Store, AKeyThatNobodySetsIsADeadline) {
  auto host = Store::Host("127.0.0.1", "j/1", kPatience);
  ASSERT_TRUE(host.ok());
  const auto value = (*host)->Get("nothing", absl::Milliseconds(30));
  EXPECT_TRUE(absl::IsDeadlineExceeded(value.status())) << value.status();
  EXPECT_NE(value.status().message().find("nothing"), std::string::npos);
}

TEST(Store, AClonedConnectionWaitsByItself) {
  auto host = Store::Host("127.0.0.1", "j/1", kPatience);
  ASSERT_TRUE(host.ok());
  auto clone = (*host)->Clone();
  ASSERT_TRUE(clone.ok()) << clone.status();
  std::thread waits([&] { EXPECT_EQ(*(*clone)->Get("late", kPatience), "yes"); });
  EXPECT_TRUE((*host)->Set("late", "yes").ok());
  waits.join();
}

TEST(Store, RefusesAnAddressThatIsNone) {
  for (const char* endpoint : {"", "nowhere", "host:", ":80", "host:99999"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Store::Connect(endpoint, "j/1", kPatience).status()))
        << endpoint;
  }
}

}  // namespace
}  // namespace trainyard::collective
