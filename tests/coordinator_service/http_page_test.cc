#include "coordinator/http_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>

#include "absl/strings/str_cat.h"

namespace trainyard::coordinator {
namespace {

TEST(HttpPageTest, HealthAndMetricsAreServed) {
  std::atomic<bool> well = true;
  const auto page = HttpPage::Start(
      {.health =
           [&] { return well ? absl::OkStatus() : absl::UnavailableError("the disk is gone"); },
       .metrics = [] { return std::string("x 1\n"); }});
  ASSERT_TRUE(page.ok()) << page.status();
  httplib::Client client("127.0.0.1", (*page)->port());
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(client.Get("/metrics")->body, "x 1\n");
  EXPECT_EQ(client.Get("/other")->status, 404);
  well = false;
  const auto sick = client.Get("/healthz");
  EXPECT_EQ(sick->status, 503);
  EXPECT_EQ(sick->body, "the disk is gone\n");
}

TEST(HttpPageTest, ATakenAddressIsNamed) {
  const auto health = [] { return absl::OkStatus(); };
  const auto metrics = [] { return std::string(); };
  const auto first = HttpPage::Start({.health = health, .metrics = metrics});
  ASSERT_TRUE(first.ok());
  const std::string address = absl::StrCat("127.0.0.1:", (*first)->port());
  const auto second = HttpPage::Start({.listen = address, .health = health, .metrics = metrics});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), ::testing::HasSubstr(address));
}

}  // namespace
}  // namespace trainyard::coordinator
