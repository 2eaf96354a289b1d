#include "coordinator/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/support/process.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

Config Good() {
  Config config;
  config.state_dir = "/tmp/x";
  return config;
}

TEST(ConfigTest, AFileSetsWhatItNames) {
  testing::TempDir dir;
  const std::string path = dir.File("c.yaml");
  ASSERT_TRUE(WriteFileAtomically(path, "state_dir: /s\nlease_seconds: 7.5\nhttp: ''\nrefuse_unplaceable: true\n").ok());
  Config config;
  ASSERT_TRUE(ReadConfigFile(path, &config).ok());
  EXPECT_EQ(config.state_dir, "/s");
  EXPECT_EQ(config.lease_seconds, 7.5);
  EXPECT_EQ(config.http, "");
  EXPECT_TRUE(config.refuse_unplaceable);
}

TEST(ConfigTest, AnUnknownFieldNamesFileLineAndNearest) {
  testing::TempDir dir;
  const std::string path = dir.File("c.yaml");
  ASSERT_TRUE(WriteFileAtomically(path, "state_dir: /s\nlisten_on: x\nlsten: y\n").ok());
  Config config;
  EXPECT_THAT(std::string(ReadConfigFile(path, &config).message()),
              HasSubstr("c.yaml:2: unknown field \"listen_on\""));
  ASSERT_TRUE(WriteFileAtomically(path, "lsten: y\n").ok());
  EXPECT_THAT(std::string(ReadConfigFile(path, &config).message()),
              HasSubstr("did you mean \"listen\"?"));
  ASSERT_TRUE(WriteFileAtomically(path, "lease_seconds: soon\n").ok());
  EXPECT_THAT(std::string(ReadConfigFile(path, &config).message()),
              HasSubstr("c.yaml:1: lease_seconds has a value of another type"));
}

TEST(ConfigTest, AListenerForOthersNeedsTheLongFlag) {
  Config config = Good();
  config.listen = "0.0.0.0:7433";
  const absl::Status refused = CheckConfig(config);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--serve-without-tls-beyond-loopback"));
  config.serve_without_tls_beyond_loopback = true;
  EXPECT_TRUE(CheckConfig(config).ok());
  config = Good();
  config.http = "10.0.0.1:80";
  EXPECT_FALSE(CheckConfig(config).ok());
}

TEST(ConfigTest, TimesMustFitTogether) {
  EXPECT_TRUE(CheckConfig(Good()).ok());
  Config config = Good();
  config.lease_seconds = 3;
  EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("at least twice"));
  config = Good();
  config.orphan_timeout_seconds = 5;
  EXPECT_FALSE(CheckConfig(config).ok());
  config = Good();
  config.state_dir = "";
  EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("--state-dir is missing"));
}

}  // namespace
}  // namespace trainyard::coordinator
