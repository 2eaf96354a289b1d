#include "base/roots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace trainyard {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class RootsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "roots-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    fs::create_directories(base_ / "data/deep");
    fs::create_directories(base_ / "outside");
    std::ofstream(base_ / "data/deep/a.txt") << "a";
    std::ofstream(base_ / "outside/secret.txt") << "s";
    roots_ = Roots({{"data", (base_ / "data").string()}});
  }
  void TearDown() override { fs::remove_all(base_); }

  absl::StatusCode CodeOf(const std::string& uri) { return roots_.Resolve(uri).status().code(); }

  fs::path base_;
  Roots roots_;
};

TEST_F(RootsTest, ResolvesWhatExistsAndWhatMayYetBeMade) {
  EXPECT_EQ(*roots_.Resolve("root://data/deep/a.txt"), (base_ / "data/deep/a.txt").string());
  EXPECT_EQ(*roots_.Resolve("root://data/new/run/1"), (base_ / "data/new/run/1").string());
  EXPECT_EQ(*roots_.Resolve("root://data"), (base_ / "data").string());
}

TEST_F(RootsTest, AMissingFileIsNamedWithItsPathHere) {
  const auto missing = roots_.ResolveExisting("root://data/deep/b.txt");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("data/deep/b.txt"));
}

TEST_F(RootsTest, ASymbolicLinkThatLeadsOutsideIsRefused) {
  fs::create_directory_symlink(base_ / "outside", base_ / "data/link");
  fs::create_directory_symlink("../outside", base_ / "data/relative");
  fs::create_symlink(base_ / "outside/absent", base_ / "data/dangling");
  EXPECT_EQ(CodeOf("root://data/link/secret.txt"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf("root://data/link/new.txt"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf("root://data/relative/secret.txt"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf("root://data/dangling"), absl::StatusCode::kPermissionDenied);
}

TEST_F(RootsTest, ASymbolicLinkInsideTheRootIsFollowed) {
  fs::create_directory_symlink("deep", base_ / "data/inner");
  EXPECT_TRUE(roots_.ResolveExisting("root://data/inner/a.txt").ok());
}

TEST_F(RootsTest, AnUnknownRootNamesTheKnownOnes) {
  const auto unknown = roots_.Resolve("root://models/x");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("it has: data"));
}

TEST(ParseRootUri, RefusesEverythingThatIsNotACleanRelativePath) {
  for (const char* bad :
       {"", "/etc/passwd", "data/x", "file:///x", "root://", "root:///x", "root://Data/x",
        "root://data/../x", "root://data/a/../../x", "root://data/./x", "root://data//x"}) {
    EXPECT_EQ(ParseRootUri(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(ParseRootUri("root://data/a/b/")->path, "a/b");
}

TEST(ParseRootUri, JoinsAndFormats) {
  EXPECT_EQ(JoinRootUri("root://runs/job", "e1/step-5"), "root://runs/job/e1/step-5");
  EXPECT_EQ(JoinRootUri("root://runs/", "/x"), "root://runs/x");
  EXPECT_EQ(FormatRootUri({"runs", ""}), "root://runs");
}

}  // namespace
}  // namespace trainyard
