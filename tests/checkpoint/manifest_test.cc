#include "checkpoint/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::checkpoint {
namespace {

using ::testing::HasSubstr;

Manifest Example() {
  Manifest manifest;
  manifest.kind = "training";
  manifest.step = 120;
  manifest.epoch = 3;
  manifest.numerics_id = "cpu/AVX2/torch-2.11.0/fp32/2t";
  manifest.created_at = "2026-01-02T03:04:05Z";
  manifest.files = {{"rank-1.safetensors", 12, std::string(32, 'b')},
                    {"rank-0.safetensors", 10, std::string(32, 'a')}};
  manifest.sections["cursor"] = {{"pass", 1}, {"window", 7}};
  return manifest;
}

std::string ParseError(const std::string& text) {
  return std::string(ParseManifest(text, "manifest.json").status().message());
}

TEST(ManifestTest, RoundTripsAndIsCanonical) {
  const std::string text = SerializeManifest(Example());
  const auto parsed = ParseManifest(text, "manifest.json");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->step, 120);
  EXPECT_EQ(parsed->files[0].path, "rank-0.safetensors");
  EXPECT_EQ(FindSection(*parsed, "cursor").value()->at("window"), 7);
  EXPECT_EQ(SerializeManifest(*parsed), text);
  Manifest reordered = Example();
  std::swap(reordered.files[0], reordered.files[1]);
  EXPECT_EQ(ManifestDigest(SerializeManifest(reordered)), ManifestDigest(text));
}

TEST(ManifestTest, AMissingSectionIsNamed) {
  const auto section = FindSection(Example(), "ledger");
  EXPECT_TRUE(absl::IsFailedPrecondition(section.status()));
  EXPECT_THAT(std::string(section.status().message()), HasSubstr("\"ledger\""));
}

TEST(ManifestTest, PathsThatLeaveTheDirectoryAreRefused) {
  for (const char* path : {"../x", "/etc/passwd", "a/../../x", ""}) {
    Manifest manifest = Example();
    manifest.files[0].path = path;
    EXPECT_THAT(ParseError(SerializeManifest(manifest)), HasSubstr("leaves the directory")) << path;
  }
}

TEST(ManifestTest, MalformedOnesAreRefusedByField) {
  EXPECT_THAT(ParseError("{"), HasSubstr("not JSON"));
  Json json = Json::parse(SerializeManifest(Example()));
  json["format_version"] = 9;
  EXPECT_THAT(ParseError(json.dump()), HasSubstr("format_version 9"));
  json = Json::parse(SerializeManifest(Example()));
  json.erase("numerics_id");
  EXPECT_THAT(ParseError(json.dump()), HasSubstr("numerics_id"));
  json = Json::parse(SerializeManifest(Example()));
  json["files"][0]["xxh3"] = "12";
  EXPECT_THAT(ParseError(json.dump()), HasSubstr("no valid size or checksum"));
  json = Json::parse(SerializeManifest(Example()));
  json["surprise"] = 1;
  EXPECT_THAT(ParseError(json.dump()), HasSubstr("surprise"));
}

}  // namespace
}  // namespace trainyard::checkpoint
