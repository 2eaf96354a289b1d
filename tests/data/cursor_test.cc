#include "data/cursor.h"

#include <gtest/gtest.h>

namespace trainyard::data {
namespace {

TEST(CursorTest, RoundTripsThroughJson) {
  const DataCursor cursor{7, 1, 2, 3, "abc"};
  EXPECT_EQ(*CursorFromJson(CursorToJson(cursor), "manifest"), cursor);
}

TEST(CursorTest, RefusesWhatIsNoCursor) {
  EXPECT_FALSE(CursorFromJson("{", "manifest").ok());
  EXPECT_FALSE(CursorFromJson(R"({"step": 1})", "manifest").ok());
  EXPECT_FALSE(
      CursorFromJson(R"({"step":1,"pass":0,"window":-1,"pack":0,"fingerprint":""})", "m").ok());
}

}  // namespace
}  // namespace trainyard::data
